package ds.comm.tcp;

/**
 * Who sends to whom while all send to all: block by block, in round k to the member k places on, and on to the next round once the
 * block of the member k places before has arrived. So every link carries one stream at a time in each direction. When all
 * streams run at once, some end late, and their links stand idle meanwhile.
 */
final class Rounds {
    private final int[] peers;
    private final long blockBytes;
    private int round;
    private long blockEnd;

    /**
     * Begins with the first block.
     *
     * @param peers the next member first
     * @param blockBytes a whole number of pieces, of which an inbox holds two
     */
    Rounds(int[] peers, long blockBytes) {
        this.peers = peers;
        this.blockBytes = blockBytes;
        blockEnd = blockBytes;
    }

    int receiver() {
        return peers[round];
    }

    int sender() {
        return peers[peers.length - 1 - round];
    }

    /** {@return the offset in a shard of the beginning of what is sent in this round} */
    long start() {
        return blockEnd - blockBytes;
    }

    /** {@return the offset in a shard of the end of what is sent in this round} */
    long end() {
        return blockEnd;
    }

    void next() {
        round++;
        if (round == peers.length) {
            round = 0;
            blockEnd += blockBytes;
        }
    }
}
