"""What lives in the qrt runtimes of a process or of a core file, for gdb.

    (gdb) source qrt.py
    (gdb) qrt dump        regions, tasks, what each waits for, duties, of every loop
    (gdb) qrt bt ID       where task ID is parked; with several runtimes RUNTIME:ID
    (gdb) qrt bt all      the same of every parked task

Reads memory and never runs code of the process, so that a core file will do. The library and
the program need debug information (-g). A runtime is found by the thread that runs its loop; one
whose loop does not run has no task that could be looked at. Core files are best written by the
system (ulimit -c unlimited): gdb's own gcore, at least to version 13, leaves out every stack that
has a guard of the kernel's (Linux 6.13 and later).
"""

import gdb

TASK_STATES = ("ready", "running", "parked", "ended")
FRAMES_MAX = 64
WORD = 8


def text(value):
    """A C string, or "?" where there is none."""
    try:
        return "?" if int(value) == 0 else value.string("utf-8", "replace")
    except gdb.error:
        return "?"


def each(head, kind, member):
    """The objects of an intrusive list, whose nodes are their @member."""
    pointer = gdb.lookup_type("struct " + kind).pointer()
    offset = next(f.bitpos for f in pointer.target().fields() if f.name == member) // 8
    seen = 0
    node = head["next"]
    while int(node) != int(head.address):
        yield gdb.Value(int(node) - offset).cast(pointer)
        node = node["next"]
        seen += 1
        if seen > 10_000_000:
            raise gdb.GdbError("a list that does not end: memory is damaged")


# --- runtimes -------------------------------------------------------------------------------------


def is_runtime(value):
    try:
        return int(value) != 0 and int(value["magic"]) == 0x71724E01
    except gdb.error:
        return False


def runtime_of_thread():
    """The runtime whose loop the selected thread runs, or None.

    Each loop's thread says so to the report of stack overflows. Where thread locals cannot be
    read, the frames of the loop and of tasks know it, too.
    """
    for expression in ("'overflow.c'::watched", "watched"):
        try:
            value = gdb.parse_and_eval(expression)
            if is_runtime(value):
                return value
        except gdb.error:
            pass
    frame = gdb.newest_frame()
    for _ in range(FRAMES_MAX):
        if frame is None:
            break
        try:
            if frame.name() == "qrt__loop_run" and is_runtime(frame.read_var("rt")):
                return frame.read_var("rt")
            if frame.name() == "task_main" and is_runtime(frame.read_var("task")["rt"]):
                return frame.read_var("task")["rt"]
            frame = frame.older()
        except (gdb.error, ValueError):
            break
    return None


def runtimes():
    """Every runtime whose loop runs, in the order of threads."""
    found = []
    selected = gdb.selected_thread()
    if selected is None:
        raise gdb.GdbError("no process, and no core file")
    for thread in sorted(gdb.selected_inferior().threads(), key=lambda t: t.num):
        thread.switch()
        rt = runtime_of_thread()
        if rt is not None and int(rt) not in [int(other) for other in found]:
            found.append(rt)
    selected.switch()
    return found


def regions(rt):
    """(depth, region), parents before children."""
    left = [(0, rt["root"])]
    while left:
        depth, region = left.pop()
        yield depth, region
        children = list(each(region["children"], "qrt__region", "in_parent"))
        left.extend((depth + 1, child) for child in reversed(children))


def tasks(rt):
    for _, region in regions(rt):
        yield from each(region["tasks"], "qrt_task", "in_home")


# --- dump -----------------------------------------------------------------------------------------


def words(enum):
    """wait_texts and the like are static in their file; the enum's own name will do without."""
    name = str(enum)
    return name.split("QRT__")[-1].split("_", 1)[-1].lower().replace("_", " ")


def wait_kind(wait):
    try:
        return text(gdb.parse_and_eval("'wait.c'::wait_texts")[int(wait["kind"])]["text"])
    except gdb.error:
        return words(wait["kind"])


def wait_object(wait):
    kind = str(wait["kind"])
    obj = wait["object"]
    if int(obj) == 0:
        return ""
    if kind.endswith(("_ACCEPT", "_CONNECT", "_READ", "_WRITE", "_SIGNAL")):
        socket = obj.cast(gdb.lookup_type("struct qrt__socket").pointer())
        return " on descriptor %d" % int(socket["fd"])
    if kind.endswith("_JOIN"):
        return " of " + text(obj.cast(gdb.lookup_type("struct qrt__region").pointer())["name"])
    if kind.endswith(("_LANE", "_CALL")):
        return " " + text(obj.cast(gdb.lookup_type("char").pointer()))
    return ""


def cancel_words(cancel):
    if not cancel["requested"]:
        return ""
    info = cancel["info"]
    kind = str(info["kind"]).replace("QRT_CANCEL_", "").lower().replace("_", "-")
    return ", cancelled (%s: %s, by %s)" % (kind, text(info["reason"]), text(info["origin"]))


def task_words(task):
    line = "task %d %s, spawned at %s, " % (
        int(task["id"]), text(task["name"]), text(task["site"]))
    wait = task["wait"]
    if int(wait) == 0:
        line += TASK_STATES[int(task["state"])]
    else:
        line += "waits for %s%s" % (wait_kind(wait), wait_object(wait))
        if int(wait["site"]) != 0:
            line += " at " + text(wait["site"])
        ms = (int(task["rt"]["turn_ns"]) - int(wait["since_ns"])) // 1_000_000
        line += ", for %d ms as of the last turn" % ms
    if int(task["masks"]):
        line += ", masks %d" % int(task["masks"])
    if int(task["commits"]):
        line += ", commits %d" % int(task["commits"])
    if task["forced"]:
        line += ", forced"
    return line + cancel_words(task["cancel"])


def duty_words(duty):
    return "duty %s, made at %s" % (text(duty["what"]), text(duty["site"]))


def dump(rt):
    current = rt["current"]
    print("runtime %s, backend %s, %d tasks, %s" % (
        rt["name"].string("utf-8", "replace"), text(rt["backend"]["name"]),
        int(rt["tasks_live"]),
        "runs task %d %s" % (int(current["id"]), text(current["name"]))
        if int(current) else "runs no task"))
    for depth, region in regions(rt):
        indent = "  " * (depth + 1)
        opener = region["opener"]
        print("%sregion %s (%s)%s%s" % (
            indent, text(region["name"]), words(region["state"]).replace("region ", ""),
            ", opened by " + text(opener["name"]) if int(opener) else "",
            cancel_words(region["cancel"])))
        for duty in each(region["duties"], "qrt__obligation", "in_region"):
            if int(duty["holder"]) == 0:
                print(indent + "  " + duty_words(duty))
        for task in each(region["tasks"], "qrt_task", "in_home"):
            print(indent + "  " + task_words(task))
            for duty in each(task["duties"], "qrt__obligation", "in_holder"):
                print(indent + "    " + duty_words(duty))


# --- backtraces of parked tasks -------------------------------------------------------------------


def read_word(address):
    pointer = gdb.lookup_type("unsigned long").pointer()
    return int(gdb.Value(address).cast(pointer).dereference())


def saved(task):
    """(program counter, frame pointer) with which a parked task goes on.

    Where they lie is what the switch in shim/src/fiber/fiber.c and fiber_switch.S has saved.
    """
    fiber = task["fiber"]
    if int(fiber["ucontext"]) != 0:
        try:
            portable = gdb.lookup_type("struct portable").pointer()
            context = fiber["ucontext"].cast(portable)["context"]["uc_mcontext"]
            try:
                return int(context["gregs"][16]), int(context["gregs"][10])
            except gdb.error:
                return int(context["pc"]), int(context["regs"][29])
        except gdb.error as problem:
            raise gdb.GdbError("no debug information of the fiber: %s" % problem)
    sp = int(fiber["sp"])
    if "aarch64" in gdb.selected_inferior().architecture().name():
        return read_word(sp + 11 * WORD), read_word(sp + 10 * WORD)
    return read_word(sp), read_word(sp + WORD)


def place(pc, is_call):
    """"function () at file:line" of an address."""
    # A return address is that of the next instruction: what called lies before it.
    at = pc - 1 if is_call else pc
    block = gdb.block_for_pc(at)
    while block is not None and block.function is None:
        block = block.superblock
    name = block.function.name if block is not None else None
    if name is None:
        symbol = gdb.execute("info symbol 0x%x" % at, to_string=True)
        name = symbol.split(" ")[0] if "No symbol" not in symbol else "??"
    sal = gdb.find_pc_line(at)
    where = " at %s:%d" % (sal.symtab.filename, sal.line) if sal.symtab is not None else ""
    return "0x%016x in %s ()%s" % (pc, name, where)


def backtrace(task):
    print(task_words(task))
    if TASK_STATES[int(task["state"])] in ("running", "ended"):
        print("  it runs: see the backtrace of its thread")
        return
    low = int(task["stack"]["base"])
    high = low + int(task["stack"]["size"])
    pc, frame = saved(task)
    for number in range(FRAMES_MAX):
        if pc == 0:
            break
        print("  #%-2d %s" % (number, place(pc, True)))
        # Frame pointers lead up the stack, and only there.
        if not low <= frame < high - WORD:
            break
        above = read_word(frame)
        pc = read_word(frame + WORD)
        if above <= frame and above != 0:
            break
        frame = above


class Qrt(gdb.Command):
    """What lives in qrt runtimes: qrt dump, qrt bt [RUNTIME:]ID, qrt bt all."""

    def __init__(self):
        super().__init__("qrt", gdb.COMMAND_STACK, prefix=True)


class QrtDump(gdb.Command):
    """Regions, tasks, waits and duties of every runtime whose loop runs."""

    def __init__(self):
        super().__init__("qrt dump", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        found = runtimes()
        if not found:
            raise gdb.GdbError("no thread runs the loop of a runtime")
        for rt in found:
            dump(rt)


class QrtBt(gdb.Command):
    """Where a parked task waits: qrt bt [RUNTIME:]ID, or all."""

    def __init__(self):
        super().__init__("qrt bt", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        runtime, _, wanted = argument.strip().rpartition(":")
        if wanted != "all" and not wanted.isdigit():
            raise gdb.GdbError("qrt bt [RUNTIME:]ID, or qrt bt all")
        any_found = False
        for rt in runtimes():
            if runtime and rt["name"].string() != runtime:
                continue
            for task in tasks(rt):
                if wanted == "all" or int(task["id"]) == int(wanted):
                    backtrace(task)
                    any_found = True
        if not any_found:
            raise gdb.GdbError("no such task: %s" % argument)


Qrt()
QrtDump()
QrtBt()
