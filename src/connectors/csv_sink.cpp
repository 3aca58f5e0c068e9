#include "connectors/csv_sink.h"

#include "connectors/single_file_sink.h"
#include "connectors/time_options.h"

namespace tranche {

Result<std::unique_ptr<Sink>> make_csv_sink(const std::string& target,
                                            const std::filesystem::path& base,
                                            const CsvOutput& output, const TextPacking& packing) {
  SingleFileFormat format;
  format.key = "csv";
  format.header = [output](const SchemaPtr& schema) { return CsvWriter(schema, output).header(); };
  format.check = [formats = output.time_formats](const Schema& schema) {
    return check_written_times(schema, formats);
  };
  format.encoder = [output](const SchemaPtr& schema, std::unique_ptr<TextCompressor> compressor)
      -> std::unique_ptr<Encoder> {
    return std::make_unique<WriterEncoder<CsvWriter>>(CsvWriter(schema, output),
                                                      std::move(compressor));
  };
  format.packing = packing;
  return make_single_file_sink(target, base, std::move(format));
}

}  // namespace tranche
