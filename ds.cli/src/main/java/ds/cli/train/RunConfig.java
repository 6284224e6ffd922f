package ds.cli.train;

import ds.zero.config.Known;
import ds.zero.config.Offload;
import ds.zero.config.RuntimeConfig;
import ds.zero.config.ZeroConfig;
import ds.zero.config.json.Block;
import ds.zero.config.json.ConfigReader;
import ds.zero.config.json.Resolved;
import java.nio.file.Path;
import java.util.function.Function;

/**
 * All of a configuration file: DeepSpeed's keys, and model, data, loop and checkpoints under {@code "ds"}.
 *
 * @param zero how it is trained
 * @param model what is trained
 * @param data on what
 * @param loop how long
 * @param checkpoint when it is saved
 */
public record RunConfig(
        ZeroConfig zero,
        ModelSettings model,
        DataSettings data,
        LoopSettings loop,
        RunCheckpoints.Settings checkpoint) {
    /**
     * {@return the configuration in a file}
     *
     * @throws ds.zero.config.json.ConfigException listing everything that is wrong
     */
    public static Resolved<RunConfig> parse(Path file, int worldSize) {
        return ConfigReader.read(file, root -> read(root, worldSize, DataSettings::read));
    }

    /**
     * {@return the configuration in a file that may be without data: to be planned, not to be run}
     *
     * @throws ds.zero.config.json.ConfigException listing everything else that is wrong
     */
    public static Resolved<RunConfig> parseForPlan(Path file, int worldSize) {
        return ConfigReader.read(file, root -> read(root, worldSize, DataSettings::readOptional));
    }

    /** {@return where a run in this folder keeps its checkpoints} */
    public Path checkpointFolder(RunFolder folder) {
        return checkpoint.folder(folder);
    }

    private static RunConfig read(Block root, int worldSize, Function<Block, DataSettings> dataReader) {
        Block ds = root.block(RuntimeConfig.BLOCK);
        ModelSettings model = ModelSettings.read(ds);
        DataSettings data = dataReader.apply(ds);
        LoopSettings loop = LoopSettings.read(ds);
        Known known = Known.ofWorld(worldSize)
                .withTotalSteps(loop.steps())
                .withHiddenSize(model.shape().channels());
        ZeroConfig zero = ZeroConfig.read(root, known);
        boolean statesInFiles = zero.zero().offloadOptimizer() instanceof Offload.Nvme;
        RunCheckpoints.Settings checkpoint = RunCheckpoints.Settings.read(ds, loop.steps(), statesInFiles);
        return new RunConfig(zero, model, data, loop, checkpoint);
    }
}
