"""A block of threads that runs a PTX kernel, in numpy: as much of the instruction set as our kernels and Triton's on tensor cores use.

What the emulated device of src/emulator cannot show, since a host's compiler makes its kernels: the instructions that NVRTC really
makes, and in them our assembler. Semantics are those of the PTX ISA, by instruction. Asynchronous products happen when they are waited
for, with what is in registers and in shared memory then; descriptions and predicates count when they are issued. Of threads those go on that are
furthest behind in the program, so that those of a branch meet again. It shows nothing of races between warps, and nothing of speed.
"""
import re

import numpy as np

GLOBAL = 1 << 32         # where global memory begins
SHARED = 1024 + 192      # where dynamic shared memory begins: at a multiple of 64, and not of what kernels might wish for
WARP, GROUP = 32, 128    # threads
TYPES = {"u8": np.uint8, "u16": np.uint16, "s16": np.int16, "b16": np.uint16, "u32": np.uint32, "s32": np.int32, "b32": np.uint32,
         "u64": np.uint64, "s64": np.int64, "b64": np.uint64, "f32": np.float32, "pred": np.bool_}
WIDER = {"u16": "u32", "s16": "s32", "u32": "u64", "s32": "s64"}
np.seterr(all="ignore")


def to_bf16(x):
    """Bits, rounded to nearest even."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + (bits >> np.uint64(16) & np.uint64(1))) >> np.uint64(16)).astype(np.uint16)


def from_bf16(bits):
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)


def to_half(x, kind):
    return to_bf16(x) if kind == "bf16" else x.astype(np.float16).view(np.uint16)


def from_half(bits, kind):
    bits = np.ascontiguousarray(bits)
    return from_bf16(bits) if kind == "bf16" else bits.view(np.float16).astype(np.float32)


def listed(operand):
    """Registers of a vector, or the one there is."""
    return [each.strip() for each in operand.strip("{}").split(",")]


def binary(function):
    def run(self, words, operands, mask):
        self.write(operands[0], function(*(self.value(each, words[-1], mask) for each in operands[1:3])), mask)
    return run


def unary(function):
    def run(self, words, operands, mask):
        self.write(operands[0], function(self.value(operands[1], words[-1], mask)), mask)
    return run


class Memory:
    """Global memory."""

    def __init__(self, size):
        self.bytes = np.zeros(size, np.uint8)
        self.end = 256

    def put(self, array):
        """Returns the address of a copy."""
        array = np.ascontiguousarray(array)
        at, self.end = self.end, (self.end + array.nbytes + 511) // 256 * 256
        self.bytes[at:at + array.nbytes] = array.view(np.uint8).reshape(-1)
        return GLOBAL + at

    def get(self, address, shape, dtype):
        count = int(np.prod(shape)) * np.dtype(dtype).itemsize
        return self.bytes[address - GLOBAL:address - GLOBAL + count].view(dtype).reshape(shape).copy()


class Instruction:
    def __init__(self, text):
        guard, words, operands = re.match(r"(?:@(!?[%\w]+)\s+)?(\S+)\s*(.*)$", text).groups()
        self.text = text
        self.negated = bool(guard) and guard.startswith("!")
        self.guard = guard and guard.lstrip("!")
        self.words = words.split(".")
        self.operands = [each.strip() for each in re.findall(r"\s*(\{[^}]*\}|\[[^\]]*\]|[^,]+)", operands)]


class Kernel:
    """A kernel of a PTX text."""

    def __init__(self, text, name):
        start = re.search(rf"\.entry {name}\s*\(", text).start()
        opening = text.index("{", start)
        self.parameters = re.findall(r"\.param \.\w+[^,)\n]*? (\w+_param_\d+)", text[start:opening])
        body = re.sub(r"//[^\n]*|\.loc[^\n]*", "", self._body(text[opening:]))
        self.code, self.labels = [], {}
        for statement in re.split(r";|\n(?=\s*\$L)", body):
            statement = " ".join(statement.split())
            while found := re.match(r"(\$\w+):\s*|[{}]\s*", statement):  # labels, and the braces of scopes
                if found.group(1):
                    self.labels[found.group(1)] = len(self.code)
                statement = statement[found.end():]
            if statement and not statement.startswith("."):
                self.code.append(Instruction(statement))

    @staticmethod
    def _body(text):
        depth = 0
        for i, c in enumerate(text):
            depth += (c == "{") - (c == "}")
            if depth == 0:
                return text[1:i]
        raise ValueError("the kernel does not end")


class Block:
    """Threads of one block, a multiple of a warp. Registers are arrays with an element for each thread."""

    def __init__(self, threads, place, grid, memory, shared_bytes, symbol, shared_at=SHARED):
        self.threads, self.place, self.grid, self.memory = threads, place, grid, memory
        self.shared = np.full(shared_at + shared_bytes, 0xA5, np.uint8)
        self.symbol, self.shared_at = symbol, shared_at  # of dynamic shared memory
        self.registers = {}
        self.products = [[] for _ in range(threads // GROUP)]  # begun, of each warpgroup
        self.next = np.zeros(threads, int)
        self.done = np.zeros(threads, bool)
        self.waits_at = np.full(threads, -1)  # the number of a barrier
        self.arrived = {}

    def run(self, kernel, arguments):
        """Runs to the end; returns how many instructions were taken."""
        self.arguments = dict(zip(kernel.parameters, arguments))
        taken = 0
        while not self.done.all():
            ready = ~self.done & (self.waits_at < 0)
            if not ready.any():
                raise RuntimeError(f"threads wait for each other: {self.arrived}")
            at = self.next[ready].min()
            mask = ready & (self.next == at)
            instruction = kernel.code[at]
            self.next[mask] = at + 1
            taken += 1
            if instruction.guard:
                mask[mask] = self.registers[instruction.guard][mask] ^ instruction.negated
            if not mask.any():
                continue
            try:
                if instruction.words[0] == "bra":
                    self.next[mask] = kernel.labels[instruction.operands[-1]]
                else:
                    getattr(self, "_" + instruction.words[0].split("::")[0])(instruction.words, instruction.operands, mask)
            except Exception as e:
                raise RuntimeError(f"{instruction.text[:160]}: {e!r}") from e
        if any(self.products):
            raise RuntimeError("a warpgroup has ended before its products")
        return taken

    # ---- operands

    def value(self, operand, kind, mask):
        dtype = np.dtype(TYPES[kind])
        count = int(mask.sum())
        special = re.match(r"%(tid|ctaid|nctaid)\.([xyz])", operand)
        if special:
            axis = "xyz".index(special.group(2))
            if special.group(1) == "tid":
                return (np.arange(self.threads) if axis == 0 else np.zeros(self.threads))[mask].astype(dtype)
            return np.full(count, (self.place if special.group(1) == "ctaid" else self.grid)[axis], dtype)
        if operand in self.registers:
            value = self.registers[operand][mask]
            return value if value.dtype == dtype else value.view(dtype)
        if operand == self.symbol:
            return np.full(count, self.shared_at, dtype)
        if operand.startswith("0f"):
            return np.full(count, int(operand[2:], 16), np.uint32).view(dtype)
        number = int(operand, 0)  # a register that nothing was written to fails here
        if dtype == np.bool_:
            return np.full(count, number != 0)
        bits = 8 * dtype.itemsize
        return np.full(count, number & (1 << bits) - 1, f"u{dtype.itemsize}").view(dtype)

    def write(self, operand, value, mask):
        operand = operand.split("|")[0]
        if operand not in self.registers:
            self.registers[operand] = np.zeros(self.threads, value.dtype)
        register = self.registers[operand]
        register[mask] = value if value.dtype == register.dtype else value.view(register.dtype)

    def address(self, operand, mask):
        base, offset = re.match(r"\[\s*([%\w]+)\s*(?:\+\s*(-?\d+))?\s*\]", operand).groups()
        wide = base == self.symbol or self.registers[base].dtype.itemsize == 8
        return self.value(base, "u64" if wide else "u32", mask).astype(np.int64) + int(offset or 0)

    def bytes_at(self, shared, addresses, count):
        """The memory, and of each address the places of its bytes there."""
        memory, first = (self.shared, self.shared_at) if shared else (self.memory.bytes, 0)
        addresses = addresses if shared else addresses - GLOBAL
        if (addresses % count).any():
            raise ValueError("not aligned")
        if (addresses < first).any() or (addresses + count > len(memory)).any():
            raise ValueError("outside of memory")
        return memory, addresses[:, None] + np.arange(count)

    # ---- data

    def _mov(self, words, operands, mask):
        to, of = operands
        if of.startswith("{"):
            low, high = (self.value(each, "b16", mask).astype(np.uint32) for each in listed(of))
            self.write(to, low | high << np.uint32(16), mask)
        elif to.startswith("{"):
            both = self.value(of, "b32", mask)
            for each, shift in zip(listed(to), (0, 16)):
                self.write(each, (both >> np.uint32(shift)).astype(np.uint16), mask)
        else:
            self.write(to, self.value(of, words[-1], mask), mask)

    def _ld(self, words, operands, mask):
        if words[1] == "param":
            value = self.arguments[operands[1].strip("[]")]
            self.write(operands[0], np.full(mask.sum(), value).astype(TYPES[words[-1]]), mask)
        else:
            self._move(words, operands[0], operands[1], mask, loads=True)

    def _st(self, words, operands, mask):
        self._move(words, operands[1], operands[0], mask, loads=False)

    def _move(self, words, registers, address, mask, loads):
        kind, registers = words[-1], listed(registers)
        size = np.dtype(TYPES[kind]).itemsize
        memory, places = self.bytes_at(words[1].startswith("shared"), self.address(address, mask), size * len(registers))
        for i, register in enumerate(registers):
            part = places[:, i * size:(i + 1) * size]
            if loads:
                self.write(register, np.ascontiguousarray(memory[part]).view(TYPES[kind])[:, 0], mask)
            else:
                memory[part] = np.ascontiguousarray(self.value(register, kind, mask)).view(np.uint8).reshape(-1, size)

    def _cp(self, words, operands, mask):
        if words[2] == "cg":  # the others order copies, which are done at once here
            size = self.value(operands[3], "u32", mask) if len(operands) > 3 else np.full(mask.sum(), 16)
            to, to_places = self.bytes_at(True, self.address(operands[0], mask), 16)
            of, of_places = self.bytes_at(False, self.address(operands[1], mask), 16)
            to[to_places] = np.where(np.arange(16) < size[:, None], of[of_places], 0)

    def _cvta(self, words, operands, mask):
        self.write(operands[0], self.value(operands[1], "u64", mask), mask)

    def _cvt(self, words, operands, mask):
        to, of = words[-2:]
        if to in ("bf16x2", "f16x2"):
            low, high = (to_half(self.value(operands[i], "f32", mask), to[:-2]).astype(np.uint32) for i in (2, 1))
            self.write(operands[0], low | high << np.uint32(16), mask)
        elif to in ("bf16", "f16"):
            self.write(operands[0], to_half(self.value(operands[1], "f32", mask), to), mask)
        elif of == "f16":
            self.write(operands[0], from_half(self.value(operands[1], "b16", mask), of), mask)
        else:
            self.write(operands[0], self.value(operands[1], of, mask).astype(TYPES[to]), mask)

    # ---- arithmetic

    _add, _sub, _max, _min, _div = [*map(binary, (np.add, np.subtract, np.fmax, np.fmin, np.floor_divide))]
    _and, _or, _xor = [*map(binary, (np.bitwise_and, np.bitwise_or, np.bitwise_xor))]
    _neg, _not, _ex2, _lg2 = [*map(unary, (np.negative, np.invert, np.exp2, np.log2))]
    _rcp = unary(lambda x: np.float32(1) / x)

    def _mul(self, words, operands, mask):
        kind = words[-1]
        if words[1] == "wide":
            a, b = (self.value(each, kind, mask).astype(TYPES[WIDER[kind]]) for each in operands[1:3])
        else:
            a, b = (self.value(each, kind, mask) for each in operands[1:3])
        self.write(operands[0], a * b, mask)

    def _mad(self, words, operands, mask):
        self._mul(words, operands[:3], mask)
        kind = WIDER[words[-1]] if words[1] == "wide" else words[-1]
        self.write(operands[0], self.value(operands[0], kind, mask) + self.value(operands[3], kind, mask), mask)

    def _fma(self, words, operands, mask):
        a, b, c = (self.value(each, "f32", mask).astype(np.float64) for each in operands[1:])
        self.write(operands[0], (a * b + c).astype(np.float32), mask)

    def _shift(self, words, operands, mask, function):
        kind = TYPES[words[-1]]
        bits = 8 * np.dtype(kind).itemsize
        by = self.value(operands[2], "u32", mask)
        shifted = function(self.value(operands[1], words[-1], mask), np.minimum(by, bits - 1).astype(kind))
        empty = (by >= bits) & (words[-1][0] != "s")
        self.write(operands[0], np.where(empty, 0, shifted).astype(kind), mask)

    def _shl(self, words, operands, mask):
        self._shift(words, operands, mask, np.left_shift)

    def _shr(self, words, operands, mask):
        self._shift(words, operands, mask, np.right_shift)

    def _bfi(self, words, operands, mask):
        of, into = (self.value(each, "b32", mask) for each in operands[1:3])
        at, length = (int(each) for each in operands[3:5])
        field = np.uint32(((1 << length) - 1 << at) & 0xFFFFFFFF)
        self.write(operands[0], into & ~field | of << np.uint32(at) & field, mask)

    def _bfe(self, words, operands, mask):
        at, length = (int(each) for each in operands[2:4])
        value = self.value(operands[1], "u32", mask) >> np.uint32(at) & np.uint32((1 << length) - 1)
        if words[-1] == "s32":
            value = (value.astype(np.int32) ^ 1 << length - 1) - (1 << length - 1)
            value = value.astype(np.int32)
        self.write(operands[0], value, mask)

    def _setp(self, words, operands, mask):
        a, b = (self.value(each, words[-1], mask) for each in operands[1:3])
        unordered = words[-1] == "f32" and words[1] in ("ltu", "leu", "gtu", "geu", "equ", "neu")
        compared = {"lt": a < b, "le": a <= b, "gt": a > b, "ge": a >= b, "eq": a == b, "ne": a != b}[words[1][:2]]
        self.write(operands[0], compared | (np.isnan(a) | np.isnan(b)) if unordered else compared, mask)

    def _selp(self, words, operands, mask):
        a, b = (self.value(each, words[-1], mask) for each in operands[1:3])
        self.write(operands[0], np.where(self.value(operands[3], "pred", mask), a, b), mask)

    # ---- threads together

    def _ret(self, words, operands, mask):
        self.done |= mask

    def _fence(self, words, operands, mask):
        pass

    def _bar(self, words, operands, mask):
        number = int(operands[0])
        self.arrived[number] = self.arrived.get(number, 0) + int(mask.sum())
        if words[1] == "sync":
            self.waits_at[mask] = number
        expected = int(operands[1]) if len(operands) > 1 else int((~self.done).sum())
        if self.arrived[number] == expected:
            if not (self.waits_at == number).any():
                raise RuntimeError("a barrier at which nobody waits")
            self.arrived[number] = 0
            self.waits_at[self.waits_at == number] = -1

    def _shfl(self, words, operands, mask):
        if words[2] != "bfly":
            raise NotImplementedError(words)
        value = self.value(operands[1], "b32", mask).reshape(-1, WARP)
        with_lane = int(self.value(operands[2], "u32", mask)[0])
        self.write(operands[0], value[:, np.arange(WARP) ^ with_lane].reshape(-1), mask)

    def _ldmatrix(self, words, operands, mask):
        memory, places = self.bytes_at(True, self.address(operands[1], mask), 16)
        matrices = np.ascontiguousarray(memory[places]).view(np.uint16).reshape(-1, 4, 8, 8)  # warp, matrix, row, column
        if "trans" in words:
            matrices = matrices.swapaxes(2, 3)
        lane = np.arange(WARP)
        for i, register in enumerate(listed(operands[0])):
            low, high = (matrices[:, i, lane // 4, lane % 4 * 2 + k].astype(np.uint32) for k in (0, 1))
            self.write(register, (low | high << np.uint32(16)).reshape(-1), mask)

    def _fragments(self, registers, mask, kind):
        """First factors of 16 by 16 of each warp, as mma.m16n8k16 and wgmma hold them: [warps, 16, 16]."""
        factors = np.zeros((mask.sum() // WARP, 16, 16), np.float32)
        lane = np.arange(WARP)
        for i, register in enumerate(registers):
            both = self.value(register, "b32", mask).reshape(-1, WARP)
            for k, shift in enumerate((0, 16)):
                half = (both >> np.uint32(shift)).astype(np.uint16)
                factors[:, lane // 4 + i % 2 * 8, lane % 4 * 2 + i // 2 * 8 + k] = from_half(half, kind)
        return factors

    def _add_result(self, registers, product, mask, add):
        """Adds [warps, 16, columns] to results as mma and wgmma hold them, or puts it there."""
        lane = np.arange(WARP)
        for i, register in enumerate(registers):
            part = product[:, lane // 4 + i % 4 // 2 * 8, i // 4 * 8 + lane % 4 * 2 + i % 2].reshape(-1)
            self.write(register, (part + self.value(register, "f32", mask) if add else part).astype(np.float32), mask)

    def _mma(self, words, operands, mask):
        if words[3:5] != ["m16n8k16", "row"] or words[7] != words[8] or operands[0] != operands[3]:
            raise NotImplementedError(words)
        kind, lane = words[7], np.arange(WARP)
        a = self._fragments(listed(operands[1]), mask, kind)
        b = np.zeros((len(a), 16, 8), np.float32)
        for i, register in enumerate(listed(operands[2])):
            both = self.value(register, "b32", mask).reshape(-1, WARP)
            for k, shift in enumerate((0, 16)):
                b[:, lane % 4 * 2 + i * 8 + k, lane // 4] = from_half((both >> np.uint32(shift)).astype(np.uint16), kind)
        self._add_result(listed(operands[0]), a.astype(np.float64) @ b, mask, True)

    def _wgmma(self, words, operands, mask):
        for group in range(len(self.products)):
            of_group = np.arange(self.threads) // GROUP == group
            if not mask[of_group].any():
                continue
            if not mask[of_group].all():
                raise RuntimeError("not the whole warpgroup")
            if words[1] == "mma_async":
                in_registers = operands[1].startswith("{")
                first = None if in_registers else self.value(operands[1], "u64", of_group)
                issued = first, self.value(operands[2], "u64", of_group), self.value(operands[3], "pred", of_group)
                self.products[group].append((words, operands, issued))
            elif words[1] == "wait_group":
                for product in self.products[group]:
                    self._multiply(of_group, *product)
                self.products[group] = []

    def _multiply(self, mask, words, operands, issued):
        first, second, add = issued
        kind, columns = words[-1], int(re.search(r"n(\d+)k16", words[4]).group(1))
        if operands[4:6] != ["1", "1"] or (first is not None and operands[6] != "0"):
            raise NotImplementedError(operands[4:])
        if first is None:
            a = self._fragments(listed(operands[1]), mask, kind)
        else:
            row, k = np.mgrid[:64, :16]
            a = from_half(self._described(first, row, k), kind).reshape(4, 16, 16)
        k, column = np.mgrid[:16, :columns]
        transposed = operands[-1] == "1"
        b = from_half(self._described(second, k, column) if transposed else self._described(second, column, k), kind)
        if len(set(add)) != 1 or len(listed(operands[0])) != columns // 2:
            raise ValueError("predicate or results")
        self._add_result(listed(operands[0]), a.astype(np.float64) @ b, mask, bool(add[0]))

    def _described(self, descriptions, row, column):
        """Elements of a matrix in shared memory, in rows of 64, swizzled by 128 bytes."""
        if (descriptions != descriptions[0]).any() or int(descriptions[0]) >> 62 != 1:
            raise ValueError("descriptions differ, or are not of a swizzle by 128 bytes")
        begin, next_columns, next_rows = ((int(descriptions[0]) >> shift & 0x3FFF) << 4 for shift in (0, 16, 32))
        at = begin + row // 8 * next_rows + row % 8 * 128 + column // 64 * next_columns + column % 64 * 2
        at ^= (at >> 7 & 7) << 4
        memory, places = self.bytes_at(True, at.reshape(-1), 2)
        return np.ascontiguousarray(memory[places]).view(np.uint16).reshape(at.shape)
