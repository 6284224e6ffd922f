package ds.models.gpt;

import ds.api.Attention;
import ds.api.CoreKernels.Binary;
import ds.api.CoreKernels.Broadcast;
import ds.api.CounterRandom;
import ds.api.DType;
import ds.api.Dropout;
import ds.api.LayerNorm;
import ds.api.Tensor;
import ds.api.layer.Layer;
import ds.api.layer.Parameter;
import ds.api.layer.Pass;
import ds.api.layer.Saved;
import java.util.List;

/**
 * One block of GPT-2, {@code [B, T, C]} to {@code [B, T, C]}:
 *
 * <pre>
 * mid = x   + dropout(project(attention(expand(norm1(x)))))
 * y   = mid + dropout(contract(gelu(widen(norm2(mid)))))
 * </pre>
 *
 * The backward pass carries the gradient of the residual stream in one tensor, in place.
 */
final class TransformerBlock implements Layer {
    private final GptConfig config;
    private final String name;
    private final Normalization norm1;
    private final Linear expand;
    private final Linear project;
    private final Normalization norm2;
    private final Linear widen;
    private final Linear contract;
    private final long attentionSite;
    private final long projectionSite;
    private final long outputSite;

    TransformerBlock(GptConfig config, int index) {
        this.config = config;
        this.name = "h." + index;
        long c = config.channels();
        // Projections into the residual stream start smaller, since 2L of them add up (Radford et al., 2019, section
        // 2.3).
        double residual = 0.02 / Math.sqrt(2.0 * config.layers());
        this.norm1 = Normalization.of(name + ".ln_1", config);
        this.expand = Linear.of(name + ".attn.c_attn", c, 3 * c, 0.02);
        this.project = Linear.of(name + ".attn.c_proj", c, c, residual);
        this.norm2 = Normalization.of(name + ".ln_2", config);
        this.widen = Linear.of(name + ".mlp.c_fc", c, 4 * c, 0.02);
        this.contract = Linear.of(name + ".mlp.c_proj", 4 * c, c, residual);
        this.attentionSite = CounterRandom.part(name + ".attention");
        this.projectionSite = CounterRandom.part(name + ".projection");
        this.outputSite = CounterRandom.part(name + ".output");
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public List<Parameter> parameters() {
        return List.of(
                norm1.weight(),
                norm1.bias(),
                expand.weight(),
                expand.bias(),
                project.weight(),
                project.bias(),
                norm2.weight(),
                norm2.bias(),
                widen.weight(),
                widen.bias(),
                contract.weight(),
                contract.bias());
    }

    @Override
    public Tensor forward(Pass pass, Tensor x, Saved saved) {
        long b = x.shape().dim(0);
        long t = x.shape().dim(1);
        long c = config.channels();
        long mark = pass.mark();
        Tensor statistics = pass.keep(DType.F32, 4, b * t);
        Tensor normed1 = pass.keep(b, t, c);
        pass.kernels().layerNorm(x, norm1(pass, statistics), normed1);
        Tensor qkv = pass.keep(b, t, 3 * c);
        expand.forward(pass, normed1, qkv);
        Tensor attended = pass.keep(b, t, c);
        Tensor logSumExp = pass.keep(DType.F32, b, config.heads(), t);
        pass.kernels().attention(qkv, attention(pass), attended, logSumExp);
        Tensor projected = pass.scratch(b, t, c);
        project.forward(pass, attended, projected);
        dropInPlace(pass, projected, projectionSite);
        Tensor mid = pass.keep(b, t, c);
        Tensor normed2 = pass.keep(b, t, c);
        pass.kernels().residualLayerNorm(projected, x, mid, norm2(pass, statistics), normed2);

        Tensor wide = pass.keep(b, t, 4 * c);
        widen.forwardWithoutBias(pass, normed2, wide);
        Tensor activated = pass.keep(b, t, 4 * c);
        pass.kernels().biasGelu(wide, pass.weight(widen.bias()), activated);
        Tensor y = pass.keep(b, t, c);
        contract.forward(pass, activated, y);
        dropInPlace(pass, y, outputSite);
        pass.kernels().binary(Binary.ADD, y, mid, Broadcast.NONE, y);
        pass.release(mark);

        saved.push(x);
        saved.push(statistics);
        saved.push(normed1);
        saved.push(qkv);
        saved.push(attended);
        saved.push(logSumExp);
        saved.push(mid);
        saved.push(normed2);
        saved.push(wide);
        saved.push(activated);
        return y;
    }

    @Override
    public Tensor backward(Pass pass, Tensor dy, Saved saved) {
        long b = dy.shape().dim(0);
        long t = dy.shape().dim(1);
        long c = config.channels();
        Tensor activated = saved.pop();
        Tensor wide = saved.pop();
        Tensor normed2 = saved.pop();
        Tensor mid = saved.pop();
        Tensor logSumExp = saved.pop();
        Tensor attended = saved.pop();
        Tensor qkv = saved.pop();
        Tensor normed1 = saved.pop();
        Tensor statistics = saved.pop();
        Tensor x = saved.pop();

        long mark = pass.mark();
        Tensor dWide = pass.scratch(b, t, 4 * c);
        contract.backward(pass, dropped(pass, dy, outputSite), activated, dWide);
        pass.kernels().biasGeluBackward(dWide, wide, pass.weight(widen.bias()), dWide, pass.gradient(widen.bias()));
        Tensor dNormed = pass.scratch(b, t, c);
        widen.backwardWithoutBias(pass, dWide, normed2, dNormed);
        pass.kernels().layerNormBackward(dNormed, mid, norm2(pass, statistics), norm2.gradients(pass), dy);
        pass.release(mark);

        Tensor dAttended = pass.scratch(b, t, c);
        project.backward(pass, dropped(pass, dy, projectionSite), attended, dAttended);
        Tensor dQkv = pass.scratch(b, t, 3 * c);
        pass.kernels().attentionBackward(dAttended, qkv, attention(pass), attended, logSumExp, dQkv);
        expand.backward(pass, dQkv, normed1, dAttended);
        pass.kernels().layerNormBackward(dAttended, x, norm1(pass, statistics), norm1.gradients(pass), dy);
        pass.release(mark);
        return dy;
    }

    /** The forward pass for new positions of sequences whose keys and values are cached. */
    Tensor decode(Pass pass, Tensor x, KeyValueCache cache) {
        long b = x.shape().dim(0);
        long t = x.shape().dim(1);
        long c = config.channels();
        Tensor statistics = pass.keep(DType.F32, 4, b * t);
        Tensor normed = pass.keep(b, t, c);
        pass.kernels().layerNorm(x, norm1(pass, statistics), normed);
        Tensor qkv = pass.keep(b, t, 3 * c);
        expand.forward(pass, normed, qkv);
        Tensor attended = pass.keep(b, t, c);
        pass.kernels().cachedAttention(qkv, cache.keys(), cache.values(), cache.past(), config.heads(), attended);
        Tensor mid = pass.keep(b, t, c);
        project.forward(pass, attended, mid);
        pass.kernels().residualLayerNorm(mid, x, mid, norm2(pass, statistics), normed);
        Tensor wide = pass.keep(b, t, 4 * c);
        widen.forwardWithoutBias(pass, normed, wide);
        pass.kernels().biasGelu(wide, pass.weight(widen.bias()), wide);
        Tensor y = pass.keep(b, t, c);
        contract.forward(pass, wide, y);
        pass.kernels().binary(Binary.ADD, y, mid, Broadcast.NONE, y);
        return y;
    }

    private LayerNorm norm1(Pass pass, Tensor statistics) {
        return norm1.operands(pass, statistics.rows(0, 1), statistics.rows(1, 1));
    }

    private LayerNorm norm2(Pass pass, Tensor statistics) {
        return norm2.operands(pass, statistics.rows(2, 1), statistics.rows(3, 1));
    }

    private Attention attention(Pass pass) {
        return pass.attention(config.heads(), config.dropout().attention(), attentionSite);
    }

    private Dropout residualDropout(Pass pass, Tensor x, long site) {
        return pass.dropout(config.dropout().residual(), site, x.shape().dim(1) * config.channels());
    }

    private void dropInPlace(Pass pass, Tensor x, long site) {
        Dropout dropout = residualDropout(pass, x, site);
        if (dropout.active()) {
            pass.kernels().dropout(x, dropout, x);
        }
    }

    /** {@return the gradient behind a dropout; dy itself, which the residual branch still needs, stays as it is} */
    private Tensor dropped(Pass pass, Tensor dy, long site) {
        Dropout dropout = residualDropout(pass, dy, site);
        if (!dropout.active()) {
            return dy;
        }
        Tensor dx =
                pass.scratch(dy.shape().dim(0), dy.shape().dim(1), dy.shape().dim(2));
        pass.kernels().dropout(dy, dropout, dx);
        return dx;
    }
}
