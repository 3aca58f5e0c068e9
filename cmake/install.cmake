# Installing comes with the first public API; until then nothing is installed.
