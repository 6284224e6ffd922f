package ds.cli.check;

import ds.api.DType;
import ds.zero.config.Precision;
import java.util.List;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * How far a repeated run is from the reference.
 *
 * @param logits of the first micro-batch: largest difference relative to the largest magnitude
 * @param gradient of the first micro-batch: the same, for the tensor where it is largest
 * @param weight after the run: the same
 * @param weightRms after the run: root mean square of the difference relative to that of the tensor, where it is largest
 * @param loss largest absolute difference over the trace
 * @param gradientNorm largest relative difference over the trace
 * @param losses of every step
 */
record CheckResult(
        double logits,
        double gradient,
        double weight,
        double weightRms,
        double loss,
        double gradientNorm,
        List<Double> losses) {
    /** {@return whether all figures are within the bounds of the type; NaN never is} */
    boolean ok(DType dtype) {
        if (dtype == DType.F32) {
            return logits <= 2e-5
                    && gradient <= 2e-5
                    && loss <= 1e-5
                    && gradientNorm <= 1e-5
                    && weight <= 3e-4
                    && weightRms <= 5e-5;
        }
        return logits <= 2e-2 && gradient <= 3e-2 && loss <= 2e-3 && gradientNorm <= 1e-2;
    }

    /** {@return one line} */
    String toJson(CheckSetup setup, int ranks) {
        ObjectNode node = JsonMapper.shared().createObjectNode();
        node.put("reference", setup.folder().toString());
        node.put("ranks", ranks);
        node.put("tensor_parallel", setup.tensorParallel());
        node.put("stage", setup.stage());
        node.put("dtype", Precision.nameOf(setup.dtype()));
        node.put("logits_error", logits);
        node.put("gradient_error", gradient);
        node.put("weight_error", weight);
        node.put("weight_rms_error", weightRms);
        node.put("loss_error", loss);
        node.put("grad_norm_error", gradientNorm);
        losses.forEach(node.putArray("losses")::add);
        node.put("ok", ok(setup.dtype()));
        return node.toString();
    }
}
