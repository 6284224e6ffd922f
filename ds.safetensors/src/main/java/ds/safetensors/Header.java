package ds.safetensors;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import ds.safetensors.HeaderParser.Entry;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A header whose byte ranges have been checked against the file: each tensor is as long as its dtype and shape say, and
 * together they cover the bytes after the header once, without a gap.
 *
 * @param metadata unmodifiable
 * @param tensors by name, in the order of their bytes; unmodifiable
 */
record Header(Map<String, String> metadata, Map<String, TensorInfo> tensors) {
    /** Bytes of the length before the JSON. */
    static final int LENGTH_BYTES = 8;

    /** The format's own limit, so that a corrupted length does not allocate the machine's memory. */
    static final long MAX_BYTES = 100_000_000;

    private static final ValueLayout.OfLong LENGTH = JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** {@return the header of the file whose bytes are given} */
    static Header read(Path path, MemorySegment file) {
        long length = length(path, file);
        HeaderParser.Content content =
                HeaderParser.header(path, file.asSlice(LENGTH_BYTES, length).toArray(JAVA_BYTE));
        var entries = new ArrayList<>(content.entries());
        entries.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
        long dataOffset = LENGTH_BYTES + length;
        checkRanges(path, entries, file.byteSize() - dataOffset);
        var tensors = new LinkedHashMap<String, TensorInfo>();
        for (Entry entry : entries) {
            checkByteSize(path, entry);
            long byteSize = entry.end() - entry.begin();
            tensors.put(
                    entry.name(),
                    new TensorInfo(
                            path, entry.name(), entry.dtype(), entry.dims(), dataOffset + entry.begin(), byteSize));
        }
        return new Header(Collections.unmodifiableMap(content.metadata()), Collections.unmodifiableMap(tensors));
    }

    private static long length(Path path, MemorySegment file) {
        if (file.byteSize() < LENGTH_BYTES) {
            throw new SafetensorsException(
                    path,
                    "truncated: has " + file.byteSize() + " bytes, and the header's length alone takes " + LENGTH_BYTES
                            + "; download or save the file again");
        }
        long length = file.get(LENGTH, 0);
        if (length < 2 || length > MAX_BYTES) {
            throw new SafetensorsException(
                    path,
                    "header length " + Long.toUnsignedString(length) + " is not within 2 to " + MAX_BYTES
                            + "; this is no safetensors file, or its first 8 bytes are damaged");
        }
        if (length > file.byteSize() - LENGTH_BYTES) {
            throw new SafetensorsException(
                    path,
                    "truncated: the header takes " + length + " bytes after the first 8, and only "
                            + (file.byteSize() - LENGTH_BYTES) + " are there; download or save the file again");
        }
        return length;
    }

    /** Sorted ranges must follow each other from 0 to {@code dataBytes}. */
    private static void checkRanges(Path path, List<Entry> sorted, long dataBytes) {
        long covered = 0;
        for (Entry entry : sorted) {
            String range = "data_offsets [" + entry.begin() + ", " + entry.end() + "]";
            if (entry.end() < entry.begin()) {
                throw SafetensorsException.ofTensor(
                        path, entry.name(), range + " end before they begin; download or save the file again");
            }
            if (entry.end() > dataBytes) {
                throw SafetensorsException.ofTensor(
                        path,
                        entry.name(),
                        range + " end after the " + dataBytes + " bytes of data that the file has: it is truncated or"
                                + " damaged; download or save it again");
            }
            if (entry.begin() != covered) {
                String fault =
                        entry.begin() < covered ? " overlap the tensor before, which ends at " : " leave a gap from ";
                throw SafetensorsException.ofTensor(
                        path, entry.name(), range + fault + covered + "; save the file again");
            }
            covered = entry.end();
        }
        if (covered != dataBytes) {
            throw new SafetensorsException(
                    path,
                    "the tensors take " + covered + " bytes of data, and the file has " + dataBytes
                            + "; download or save the file again");
        }
    }

    /** Compares the length with dtype × shape. A dtype that the format does not define has no known length: not checked. */
    private static void checkByteSize(Path path, Entry entry) {
        StoredType.named(entry.dtype()).ifPresent(type -> {
            long bits;
            try {
                bits = type.bits();
                for (long dim : entry.dims()) {
                    bits = Math.multiplyExact(bits, dim);
                }
            } catch (ArithmeticException e) {
                throw SafetensorsException.ofTensor(
                        path, entry.name(), "shape " + entry.dims() + " has more elements than a long; save it again");
            }
            long byteSize = entry.end() - entry.begin();
            if (bits % Byte.SIZE != 0 || bits / Byte.SIZE != byteSize) {
                throw SafetensorsException.ofTensor(
                        path,
                        entry.name(),
                        "data_offsets [" + entry.begin() + ", " + entry.end() + "] hold " + byteSize + " bytes, but "
                                + type + " × shape " + entry.dims() + " takes " + bits + " bits; save the file again");
            }
        });
    }
}
