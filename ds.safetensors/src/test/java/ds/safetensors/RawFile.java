package ds.safetensors;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** Files put together byte by byte, independently of the writer under test. */
final class RawFile {
    private RawFile() {}

    /** Writes length, header text and data to {@code path}. */
    static Path write(Path path, String header, int... data) throws IOException {
        byte[] json = header.getBytes(StandardCharsets.UTF_8);
        return write(path, json.length, json, data);
    }

    /** Writes a stated length, which may be false, then the header and the data. */
    static Path write(Path path, long length, byte[] json, int... data) throws IOException {
        var bytes = new ByteArrayOutputStream();
        for (long rest = length, i = 0; i < 8; i++, rest >>>= 8) {
            bytes.write((int) rest);
        }
        bytes.write(json);
        for (int value : data) {
            bytes.write(value);
        }
        return Files.write(path, bytes.toByteArray());
    }

    /** One header entry. */
    static String entry(String name, String dtype, String shape, long begin, long end) {
        return "\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%d,%d]}"
                .formatted(name, dtype, shape, begin, end);
    }
}
