// NCCL for ranks that are threads of one process, on the emulated device: an operation is done when all ranks have called it, by the last
// one. Sums are taken from the last rank to the first, unlike ours, unless they are asked for in their order. Checks that all ranks call the same.
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace {
enum { SUCCESS = 0, INVALID_ARGUMENT = 4, INVALID_USAGE = 5, REMOTE_ERROR = 6 };
enum { INT32 = 2, FLOAT16 = 6, FLOAT32 = 7, FLOAT64 = 8, BFLOAT16 = 9 };

struct Call {
    std::string what;
    const void* send;
    void* receive;
    int color, key;
};
struct Part {
    std::shared_ptr<struct Group> group;
    int rank;
};
struct Group {
    int size;
    std::mutex lock;
    std::condition_variable changed;
    std::vector<Call> calls;
    std::vector<Part> parts;
    int arrived = 0, joined = 0;
    uint64_t round = 0;
    bool aborted = false, mismatch = false;

    explicit Group(int n) : size(n), calls(n), parts(n) {}

    // Waits until all ranks have come; the last one does the work of all.
    int meet(int rank, Call call, const std::function<void()>& work) {
        std::unique_lock<std::mutex> guard(lock);
        if (aborted) return REMOTE_ERROR;
        calls[rank] = call;
        uint64_t own = round;
        if (++arrived == size) {
            mismatch = false;
            for (auto& other : calls) mismatch |= other.what != call.what;
            if (!mismatch) work();
            arrived = 0;
            round++;
            changed.notify_all();
        } else {
            changed.wait(guard, [&] { return round != own || aborted; });
            if (round == own) return REMOTE_ERROR;
        }
        return mismatch ? INVALID_USAGE : SUCCESS;
    }
};
struct Comm {
    std::shared_ptr<Group> group;
    int rank;
};

std::mutex registry_lock;
std::map<std::string, std::shared_ptr<Group>> registry;
uint64_t ids = 0;

size_t bytes_of(int type) {
    return type == FLOAT64 ? 8 : type == FLOAT16 || type == BFLOAT16 ? 2 : 4;
}
double get(const void* p, int type, size_t i) {
    switch (type) {
        case INT32:
            return ((const int32_t*)p)[i];
        case FLOAT64:
            return ((const double*)p)[i];
        case FLOAT16: {
            _Float16 half;
            memcpy(&half, (const char*)p + 2 * i, 2);
            return half;
        }
        case BFLOAT16: {
            uint32_t wide = (uint32_t)((const uint16_t*)p)[i] << 16;
            float x;
            memcpy(&x, &wide, 4);
            return x;
        }
        default:
            return ((const float*)p)[i];
    }
}
void put(void* p, int type, size_t i, double value) {
    switch (type) {
        case INT32:
            ((int32_t*)p)[i] = (int32_t)value;
            break;
        case FLOAT64:
            ((double*)p)[i] = value;
            break;
        case FLOAT16: {
            _Float16 half = (_Float16)value;
            memcpy((char*)p + 2 * i, &half, 2);
            break;
        }
        case BFLOAT16: {
            float x = (float)value;
            uint32_t bits;
            memcpy(&bits, &x, 4);
            ((uint16_t*)p)[i] = x != x ? bits >> 16 | 0x40 : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
            break;
        }
        default:
            ((float*)p)[i] = (float)value;
    }
}
bool in_order = false;

// All inputs combined; rounded at every step, as NCCL does, or in the order of ranks and rounded once, as the contract of communicators.
std::vector<char> combine(Group& group, size_t count, int type, int op) {
    std::vector<char> result(count * bytes_of(type));
    if (in_order) {
        for (size_t i = 0; i < count; i++) {
            double wide = get(group.calls[0].send, type, i), largest = wide;
            float single = (float)wide;
            for (int r = 1; r < group.size; r++) {
                double value = get(group.calls[r].send, type, i);
                wide += value;
                single += (float)value;
                largest = value > largest ? value : largest;
            }
            put(result.data(), type, i, op != 0 ? largest : type == FLOAT64 || type == INT32 ? wide : single);
        }
        return result;
    }
    memcpy(result.data(), group.calls.back().send, result.size());
    for (int r = group.size - 2; r >= 0; r--)
        for (size_t i = 0; i < count; i++) {
            double a = get(result.data(), type, i), b = get(group.calls[r].send, type, i);
            put(result.data(), type, i, op == 0 ? a + b : a > b ? a : b);
        }
    return result;
}
std::string name(const char* what, size_t count, int type, int third) {
    return std::string(what) + " " + std::to_string(count) + " " + std::to_string(type) + " " + std::to_string(third);
}

struct Transfer {
    bool sends;
    void* data;
    size_t bytes;
    int peer;
    Comm* comm;
};
thread_local int grouped = 0;
thread_local std::vector<Transfer> transfers;
} // namespace

extern "C" {
// No NCCL has this.
int emulatedSumsInOrderOfRanks(int on) {
    in_order = on != 0;
    return SUCCESS;
}
struct Id {
    char internal[128];
};
int ncclGetVersion(int* version) {
    *version = 22703;
    return SUCCESS;
}
int ncclGetUniqueId(Id* id) {
    std::lock_guard<std::mutex> guard(registry_lock);
    memset(id, 7, sizeof(Id));
    ids++;
    memcpy(id->internal + 40, &ids, 8);
    return SUCCESS;
}
int ncclCommInitRank(Comm** comm, int ranks, Id id, int rank) {
    std::shared_ptr<Group> group;
    {
        std::lock_guard<std::mutex> guard(registry_lock);
        auto& known = registry[std::string(id.internal, 128)];
        if (!known) known = std::make_shared<Group>(ranks);
        group = known;
    }
    if (rank < 0 || rank >= ranks || group->size != ranks) return INVALID_ARGUMENT;
    *comm = new Comm{group, rank};
    return group->meet(rank, {"join", nullptr, nullptr, 0, 0}, [] {});
}
int ncclCommSplit(Comm* comm, int color, int key, Comm** part, void*) {
    Group& group = *comm->group;
    int status = group.meet(comm->rank, {"split", nullptr, nullptr, color, key}, [&] {
        std::map<int, std::map<std::pair<int, int>, int>> colors;
        for (int r = 0; r < group.size; r++) colors[group.calls[r].color][{group.calls[r].key, r}] = r;
        for (auto& [_, members] : colors) {
            auto made = std::make_shared<Group>((int)members.size());
            int number = 0;
            for (auto& [__, r] : members) group.parts[r] = {made, number++};
        }
    });
    if (status) return status;
    std::lock_guard<std::mutex> guard(group.lock);
    *part = new Comm{group.parts[comm->rank].group, group.parts[comm->rank].rank};
    return SUCCESS;
}
int ncclCommDestroy(Comm* comm) {
    delete comm;
    return SUCCESS;
}
int ncclCommAbort(Comm* comm) {
    std::lock_guard<std::mutex> guard(comm->group->lock);
    comm->group->aborted = true;
    comm->group->changed.notify_all();
    return SUCCESS; // not deleted: another thread may be inside
}
int ncclCommGetAsyncError(Comm*, int* error) {
    *error = SUCCESS;
    return SUCCESS;
}
int ncclCommCount(Comm* comm, int* count) {
    *count = comm->group->size;
    return SUCCESS;
}
int ncclCommUserRank(Comm* comm, int* rank) {
    *rank = comm->rank;
    return SUCCESS;
}
int ncclAllReduce(const void* send, void* receive, size_t count, int type, int op, Comm* comm, void*) {
    Group& group = *comm->group;
    return group.meet(comm->rank, {name("allReduce", count, type, op), send, receive, 0, 0}, [&] {
        auto result = combine(group, count, type, op);
        for (auto& call : group.calls) memcpy(call.receive, result.data(), result.size());
    });
}
int ncclReduceScatter(const void* send, void* receive, size_t count, int type, int op, Comm* comm, void*) {
    Group& group = *comm->group;
    return group.meet(comm->rank, {name("reduceScatter", count, type, op), send, receive, 0, 0}, [&] {
        auto result = combine(group, count * group.size, type, op);
        size_t shard = count * bytes_of(type);
        for (int r = 0; r < group.size; r++) memcpy(group.calls[r].receive, result.data() + r * shard, shard);
    });
}
int ncclAllGather(const void* send, void* receive, size_t count, int type, Comm* comm, void*) {
    Group& group = *comm->group;
    return group.meet(comm->rank, {name("allGather", count, type, 0), send, receive, 0, 0}, [&] {
        size_t shard = count * bytes_of(type);
        std::vector<char> all(shard * group.size);
        for (int r = 0; r < group.size; r++) memcpy(all.data() + r * shard, group.calls[r].send, shard);
        for (auto& call : group.calls) memcpy(call.receive, all.data(), all.size());
    });
}
int ncclReduce(const void* send, void* receive, size_t count, int type, int op, int root, Comm* comm, void*) {
    Group& group = *comm->group;
    return group.meet(comm->rank, {name("reduce", count, type, 16 * root + op), send, receive, 0, 0}, [&] {
        auto result = combine(group, count, type, op);
        memcpy(group.calls[root].receive, result.data(), result.size());
    });
}
int ncclBroadcast(const void* send, void* receive, size_t count, int type, int root, Comm* comm, void*) {
    Group& group = *comm->group;
    return group.meet(comm->rank, {name("broadcast", count, type, root), send, receive, 0, 0}, [&] {
        for (int r = 0; r < group.size; r++)
            if (r != root) memcpy(group.calls[r].receive, group.calls[root].send, count * bytes_of(type));
    });
}
int ncclGroupStart() {
    grouped++;
    return SUCCESS;
}
int ncclSend(const void* send, size_t count, int type, int peer, Comm* comm, void*) {
    if (!grouped) return INVALID_USAGE;
    transfers.push_back({true, (void*)send, count * bytes_of(type), peer, comm});
    return SUCCESS;
}
int ncclRecv(void* receive, size_t count, int type, int peer, Comm* comm, void*) {
    if (!grouped) return INVALID_USAGE;
    transfers.push_back({false, receive, count * bytes_of(type), peer, comm});
    return SUCCESS;
}
// All ranks of a group end a group of calls together here, which NCCL does not ask for, but the callers do.
int ncclGroupEnd() {
    grouped--;
    auto own = std::move(transfers);
    transfers.clear();
    if (own.empty()) return SUCCESS;
    Comm* comm = own.front().comm;
    Group& group = *comm->group;
    bool matched = true;
    int status = group.meet(comm->rank, {"grouped", &own, nullptr, 0, 0}, [&] {
        for (int r = 0; r < group.size; r++)
            for (auto& in : *(std::vector<Transfer>*)group.calls[r].send) {
                if (in.sends) continue;
                bool found = false;
                for (auto& out : *(std::vector<Transfer>*)group.calls[in.peer].send)
                    if (out.sends && out.peer == r && out.bytes == in.bytes) {
                        memcpy(in.data, out.data, in.bytes);
                        found = true;
                    }
                matched &= found;
            }
    });
    return status ? status : matched ? SUCCESS : INVALID_USAGE;
}
}
