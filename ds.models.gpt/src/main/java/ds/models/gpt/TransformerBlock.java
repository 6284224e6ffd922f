package ds.models.gpt;

import ds.api.CoreKernels.Binary;
import ds.api.CoreKernels.Broadcast;
import ds.api.CounterRandom;
import ds.api.DType;
import ds.api.Dropout;
import ds.api.LayerNorm;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.comm.Work;
import ds.api.layer.Layer;
import ds.api.layer.Parameter;
import ds.api.layer.Pass;
import ds.api.layer.Saved;
import ds.models.gpt.parallel.Linear;
import ds.models.gpt.parallel.SplitAttention;
import ds.models.gpt.parallel.TensorAxis;
import ds.models.gpt.parallel.TokenRows;
import java.util.List;

/**
 * One block of GPT-2, {@code [B·T, C]} to {@code [B·T, C]}:
 *
 * <pre>
 * mid = x   + dropout(project(attention(expand(norm1(x)))))
 * y   = mid + dropout(contract(gelu(widen(norm2(mid)))))
 * </pre>
 *
 * The backward pass carries the gradient of the residual stream in one tensor, in place. On several ranks each has some heads and
 * some channels of the MLP, all rows of what goes into products, and its part of the rows of everything else.
 */
final class TransformerBlock implements Layer {
    private final GptConfig config;
    private final TensorAxis axis;
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

    TransformerBlock(GptConfig config, TensorAxis axis, int index) {
        this.config = config;
        this.axis = axis;
        this.name = "h." + index;
        long c = config.channels();
        long size = config.headSize();
        // Projections into the residual stream start smaller, since 2L of them add up (Radford et al., 2019, section
        // 2.3).
        double residual = 0.02 / Math.sqrt(2.0 * config.layers());
        this.norm1 = Normalization.of(name + ".ln_1", config);
        this.expand = Linear.ofColumns(axis, name + ".attn.c_attn", Shape.of(c, 3 * c), 3, size, 0.02);
        this.project = Linear.ofRows(axis, name + ".attn.c_proj", Shape.of(c, c), size, residual);
        this.norm2 = Normalization.of(name + ".ln_2", config);
        this.widen = Linear.ofColumns(axis, name + ".mlp.c_fc", Shape.of(c, 4 * c), 1, 1, 0.02);
        this.contract = Linear.ofRows(axis, name + ".mlp.c_proj", Shape.of(4 * c, c), 1, residual);
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
        long b = pass.batch().inputs().shape().rows();
        long t = pass.batch().inputs().shape().columns();
        long c = config.channels();
        long part = heads() * config.headSize(); // of the channels, as this rank has them between two products
        long wider = widen.bias().elements();
        TokenRows rows = axis.rowsOf(b * t);
        long mark = pass.mark();
        Tensor sum = pass.scratch(b * t, c);
        Tensor statistics = pass.keep(DType.F32, 4, rows.own());
        Tensor normed1 = pass.keep(b * t, c);
        pass.kernels().layerNorm(x, norm1(pass, statistics), rows.part(normed1));
        rows.gather(pass, normed1, name + " attention input");
        Tensor qkv = pass.keep(b, t, 3 * part);
        expand.forward(pass, normed1, qkv);
        Tensor attended = pass.keep(b, t, part);
        Tensor logSumExp = pass.keep(DType.F32, b, heads(), t);
        attention(pass).forward(qkv, attended, logSumExp);
        Tensor projected = project.forwardSummed(pass, attended, rows, sum);
        dropInPlace(pass, rows, projected, projectionSite);
        Tensor mid = pass.keep(rows.own(), c);
        Tensor normed2 = pass.keep(b * t, c);
        pass.kernels().residualLayerNorm(projected, x, mid, norm2(pass, statistics), rows.part(normed2));

        rows.gather(pass, normed2, name + " MLP input");
        Tensor wide = pass.keep(b * t, wider);
        Tensor activated = pass.keep(b * t, wider);
        pass.kernels().linearGelu(normed2, pass.weight(widen.weight()), pass.weight(widen.bias()), wide, activated);
        Tensor contracted = contract.forwardSummed(pass, activated, rows, sum);
        dropInPlace(pass, rows, contracted, outputSite);
        Tensor y = pass.keep(rows.own(), c);
        pass.kernels().binary(Binary.ADD, contracted, mid, Broadcast.NONE, y);
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
        long b = pass.batch().inputs().shape().rows();
        long t = pass.batch().inputs().shape().columns();
        long c = config.channels();
        long part = heads() * config.headSize();
        long wider = widen.bias().elements();
        TokenRows rows = axis.rowsOf(b * t);
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
        Tensor dOutput = dropped(pass, rows, dy, outputSite);
        Tensor dWide = pass.scratch(b * t, wider);
        pass.kernels()
                .geluLinearBackward(
                        dOutput,
                        pass.weight(contract.weight()),
                        wide,
                        pass.weight(widen.bias()),
                        dWide,
                        pass.gradient(widen.bias()));
        Tensor dNormed2 = pass.scratch(b * t, c);
        widen.inputGradient(pass, dWide, dNormed2);
        Work sum2 = rows.sum(pass, dNormed2, name + " MLP input gradient"); // travels during the next products
        contract.weightGradient(pass, dOutput, activated);
        contract.biasGradient(pass, dOutput);
        widen.weightGradient(pass, dWide, normed2);
        TokenRows.await(pass, sum2);
        norm2.backward(pass, rows, rows.part(dNormed2), mid, norm2(pass, statistics), dy);
        pass.release(mark);

        Tensor dProjected = dropped(pass, rows, dy, projectionSite);
        Tensor dAttended = pass.scratch(b, t, part);
        project.inputGradient(pass, dProjected, dAttended);
        Tensor dQkv = pass.scratch(b, t, 3 * part);
        attention(pass).backward(dAttended, qkv, attended, logSumExp, dQkv);
        Tensor dNormed1 = axis.isSplit() ? pass.scratch(b * t, c) : dAttended;
        expand.inputGradient(pass, dQkv, dNormed1);
        Work sum1 = rows.sum(pass, dNormed1, name + " attention input gradient");
        project.weightGradient(pass, dProjected, attended);
        project.biasGradient(pass, dProjected);
        expand.weightGradient(pass, dQkv, normed1);
        expand.biasGradient(pass, dQkv);
        TokenRows.await(pass, sum1);
        norm1.backward(pass, rows, rows.part(dNormed1), x, norm1(pass, statistics), dy);
        pass.release(mark);
        return dy;
    }

    /** The forward pass for new positions of sequences whose keys and values are cached; every rank has all rows. */
    Tensor decode(Pass pass, Tensor x, KeyValueCache cache) {
        long b = x.shape().dim(0);
        long t = x.shape().dim(1);
        long c = config.channels();
        long part = heads() * config.headSize();
        long wider = widen.bias().elements();
        TokenRows rows = axis.repeatedRows(b * t);
        Tensor statistics = pass.keep(DType.F32, 4, b * t);
        Tensor normed = pass.keep(b, t, c);
        pass.kernels().layerNorm(x, norm1(pass, statistics), normed);
        Tensor qkv = pass.keep(b, t, 3 * part);
        expand.forward(pass, normed, qkv);
        Tensor attended = pass.keep(b, t, part);
        pass.kernels().cachedAttention(qkv, cache.keys(), cache.values(), cache.past(), heads(), attended);
        Tensor mid = pass.keep(b, t, c);
        project.forwardSummed(pass, attended, rows, mid);
        pass.kernels().residualLayerNorm(mid, x, mid, norm2(pass, statistics), normed);
        Tensor wide = pass.keep(b, t, wider);
        widen.forwardWithoutBias(pass, normed, wide);
        pass.kernels().biasGelu(wide, pass.weight(widen.bias()), wide);
        Tensor y = pass.keep(b, t, c);
        contract.forwardSummed(pass, wide, rows, y);
        pass.kernels().binary(Binary.ADD, y, mid, Broadcast.NONE, y);
        return y;
    }

    private LayerNorm norm1(Pass pass, Tensor statistics) {
        return norm1.operands(pass, statistics.rows(0, 1), statistics.rows(1, 1));
    }

    private LayerNorm norm2(Pass pass, Tensor statistics) {
        return norm2.operands(pass, statistics.rows(2, 1), statistics.rows(3, 1));
    }

    /** {@return how many heads this rank has} */
    private int heads() {
        return axis.shareOf(config.heads()).count();
    }

    private SplitAttention attention(Pass pass) {
        return new SplitAttention(pass, axis, config.heads(), config.dropout().attention(), attentionSite);
    }

    private Dropout residualDropout(Pass pass, TokenRows rows, long site) {
        long c = config.channels();
        return pass.dropout(
                        config.dropout().residual(),
                        site,
                        c * pass.batch().inputs().shape().columns())
                .from(c * rows.first());
    }

    private void dropInPlace(Pass pass, TokenRows rows, Tensor x, long site) {
        Dropout dropout = residualDropout(pass, rows, site);
        if (dropout.active()) {
            pass.kernels().dropout(x, dropout, x);
        }
    }

    /**
     * {@return the gradient behind a dropout, of all rows; dy itself, which the residual branch still needs, stays as it is}
     *
     * @param dy of this rank's rows
     */
    private Tensor dropped(Pass pass, TokenRows rows, Tensor dy, long site) {
        Dropout dropout = residualDropout(pass, rows, site);
        if (!dropout.active() && !rows.areDealt()) {
            return dy;
        }
        Tensor all = pass.scratch(rows.all(), config.channels());
        if (dropout.active()) {
            pass.kernels().dropout(dy, dropout, rows.part(all));
        } else {
            pass.kernels().copy(dy, rows.part(all));
        }
        rows.gather(pass, all, name + " output gradient");
        return all;
    }
}
