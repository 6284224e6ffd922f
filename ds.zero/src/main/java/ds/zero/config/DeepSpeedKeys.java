package ds.zero.config;

import ds.zero.config.DeepSpeedKey.Support;
import ds.zero.config.json.Block;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * DeepSpeed's keys, from {@code deepspeed-keys.txt}. Accepts the ones without effect and reports the unsupported ones; the
 * supported ones are read by the configuration records, and only known here so that "did you mean" finds them.
 */
record DeepSpeedKeys(List<DeepSpeedKey> rows) {
    private static final String RESOURCE = "deepspeed-keys.txt";
    private static final String OPTIMIZER_PARAMS = "optimizer.params";

    static DeepSpeedKeys load() {
        try (InputStream in = DeepSpeedKeys.class.getResourceAsStream(RESOURCE)) {
            var byPath = new LinkedHashMap<String, DeepSpeedKey>();
            new String(in.readAllBytes(), StandardCharsets.UTF_8)
                    .lines()
                    .filter(line -> !line.isBlank() && !line.startsWith("#"))
                    .map(line -> parse(line, byPath))
                    .forEach(key -> byPath.put(key.path(), key));
            return new DeepSpeedKeys(List.copyOf(byPath.values()));
        } catch (IOException e) {
            throw new UncheckedIOException(RESOURCE + " cannot be read", e);
        }
    }

    private static DeepSpeedKey parse(String line, Map<String, DeepSpeedKey> before) {
        List<String> cells =
                Arrays.stream(line.split("\\|", 5)).map(String::strip).toList();
        List<String> type = List.of(cells.get(2).split("/", 2));
        var key = new DeepSpeedKey(
                cells.get(0),
                Support.valueOf(cells.get(1).toUpperCase(Locale.ROOT)),
                DeepSpeedKey.Type.valueOf(type.getFirst().toUpperCase(Locale.ROOT)),
                type.size() > 1,
                List.of(cells.get(3).split(" or ", -1)),
                cells.get(4));
        DeepSpeedKey block = before.get(key.parent());
        boolean inherits = key.reason().isEmpty() && block != null;
        return inherits
                ? new DeepSpeedKey(
                        key.path(), key.support(), key.type(), key.autoAllowed(), key.defaults(), block.reason())
                : key;
    }

    /** Applies all rows but those of optimizer parameters, which mean something only for a built-in optimizer. */
    void applyToRoot(Block root) {
        var pass = new Pass(root, new LinkedHashMap<>());
        rows.stream().filter(key -> !key.parent().equals(OPTIMIZER_PARAMS)).forEach(pass::apply);
    }

    /** Applies the rows of {@code optimizer.params}. */
    void applyToOptimizer(Block root) {
        var pass = new Pass(root, new LinkedHashMap<>());
        rows.stream().filter(key -> key.parent().equals(OPTIMIZER_PARAMS)).forEach(pass::apply);
    }

    /** What became of a block that nobody reads. */
    private enum Fate {
        /** Not supported, whatever stands in it. */
        CLOSED,
        /** Switched on, and reported: its other keys need no further word. */
        REFUSED,
        /** Switched off: its keys are inert. */
        OFF
    }

    /** One pass over the rows, in their order: a block's row stands before those of its keys. */
    private record Pass(Block root, Map<String, Fate> fates) {
        void apply(DeepSpeedKey key) {
            root.hint(key.path());
            Fate fate = fates.get(key.parent());
            if (fate != Fate.CLOSED) {
                enclosing(key).ifPresent(parent -> apply(key, parent, fate));
            }
        }

        private void apply(DeepSpeedKey key, Block parent, Fate fate) {
            if (key.nullIsAbsent()) {
                parent.nullIsAbsent(key.name());
            }
            if (!parent.has(key.name())) {
                return;
            }
            if (key.isBlock()) {
                applyBlock(parent, key);
            } else if (fate == Fate.REFUSED) {
                parent.drop(key.name());
            } else if (fate == Fate.OFF) {
                applyInert(parent, key, key.parent() + " is not switched on");
            } else {
                applyLeaf(parent, key);
            }
        }

        /** The block that a key stands in, if it is given and is an object. */
        private Optional<Block> enclosing(DeepSpeedKey key) {
            Block block = root;
            if (!key.parent().isEmpty()) {
                for (String name : key.parent().split("\\.", -1)) {
                    if (!(block.given(name) instanceof Map<?, ?>)) {
                        return Optional.empty();
                    }
                    block = block.block(name);
                }
            }
            return Optional.of(block);
        }

        private void applyBlock(Block parent, DeepSpeedKey key) {
            if (key.support() == Support.SUPPORTED) {
                return;
            }
            if (key.gate().equals("present")) {
                parent.problem(key.name(), "not supported", key.reason());
                fates.put(key.path(), Fate.CLOSED);
                return;
            }
            Block block = parent.block(key.name()); // reports what is no object
            if (!key.gate().equals("-")) {
                fates.put(key.path(), gate(block, key));
            }
            if (block.keys().isEmpty()) {
                parent.acceptWithoutEffect(key.name(), "the block is empty");
            }
        }

        private static Fate gate(Block block, DeepSpeedKey key) {
            Object value = block.given(key.gate());
            boolean off = value == null || value.equals(false) || value.equals("none");
            if (!off) {
                block.problem(key.gate(), "not supported", key.reason());
            }
            return off ? Fate.OFF : Fate.REFUSED;
        }

        private void applyLeaf(Block parent, DeepSpeedKey key) {
            switch (key.support()) {
                case SUPPORTED -> {}
                case INERT -> applyInert(parent, key, key.reason());
                case UNSUPPORTED -> applyUnsupported(parent, key);
            }
        }

        private void applyInert(Block parent, DeepSpeedKey key, String reason) {
            if (key.matches(parent.given(key.name()))) {
                parent.acceptWithoutEffect(key.name(), reason);
            } else {
                parent.problem(key.name(), "must be " + key.expected(), key.reason());
            }
        }

        private void applyUnsupported(Block parent, DeepSpeedKey key) {
            Object value = parent.given(key.name());
            if (!key.matches(value)) {
                parent.problem(key.name(), "must be " + key.expected(), key.reason());
            } else if (key.isDefault(value)) {
                parent.accept(key.name());
            } else {
                parent.problem(key.name(), "not supported", key.reason());
            }
        }
    }
}
