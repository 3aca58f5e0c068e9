/* A shared object that is no plugin. For tests. */
int tranche_stranger(void);
int tranche_stranger(void) { return 0; }
