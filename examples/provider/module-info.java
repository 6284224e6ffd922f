/** An optimizer from outside: built on its own, against ds.api alone, and found by its name. */
module my.optimizer {
    requires ds.api;

    provides ds.api.spi.OptimizerProvider with
            my.optimizer.MomentumSgdProvider;
}
