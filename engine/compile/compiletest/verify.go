// Package compiletest holds what tests of programs share: what must be true of
// every program, and plans made at random.
package compiletest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"sbx/engine/host"
	"sbx/engine/plan"
	"sbx/engine/program"
)

// texts are the arguments of each call that are strings: bit i for Args[i].
var texts = map[program.Call]uint8{
	program.Openat: 2, program.Openat2: 2, program.Mkdirat: 2, program.Mknodat: 2, program.Symlinkat: 5, program.Unlinkat: 2,
	program.Fchmodat: 2, program.Fchownat: 2, program.OpenTree: 2, program.MoveMount: 2 | 8, program.MountSetattr: 2, program.Fsopen: 1,
	program.Fsconfig: 4 | 8, program.Mount: 1 | 2 | 4 | 16, program.Umount2: 1, program.PivotRoot: 3, program.Chdir: 1, program.Chroot: 1, program.Execve: 1,
}

// fdcwd is AT_FDCWD.
const fdcwd = ^uint64(99)

// use is what is known of a slot at one point of the program.
type use uint8

const (
	unset use = iota // or written on some of the ways only
	open
	closed
)

type verifier struct {
	prog  *program.Program
	plan  *plan.Plan
	facts *host.Facts

	at    int
	slots []use
	later map[int][]use // the slots of those who jump there

	root    int                     // slot of the new root
	scratch int                     // slot of scratch
	made    map[int]map[string]bool // by slot: the directories made below it
	base    map[int]bool            // by slot: a directory that the plan names
	fsbox   map[int]string          // by slot: what fsopen opened
	errs    []error

	pivoted bool // the new root is the root
	alone   bool // the program has made sure that nothing is mounted over it
}

// Verify returns what is wrong with a program: with its slots, pointers, jumps
// and references, and above all with the paths that it uses.
func Verify(prog *program.Program, f *host.Facts) []error {
	v := &verifier{
		prog: prog, plan: prog.Plan, facts: f, slots: make([]use, prog.Slots), later: map[int][]use{},
		root: -1, scratch: -1, made: map[int]map[string]bool{}, base: map[int]bool{}, fsbox: map[int]string{},
	}
	for v.at = range prog.Insts {
		v.instruction(&prog.Insts[v.at])
	}
	v.at = -1
	if !v.alone {
		v.fail("does not make sure that the old root is gone")
	}
	if n := len(prog.Insts); n == 0 || prog.Insts[n-1].Call != program.ExecFailed {
		v.fail("the last instruction is not exec_failed")
	}
	for _, off := range prog.Relocs {
		if off%8 != 0 || off+8 > len(prog.Arena) {
			v.fail("relocation at %d", off)
		} else if to := binary.NativeEndian.Uint64(prog.Arena[off:]); to >= uint64(len(prog.Arena)) {
			v.fail("relocation to %d", to)
		}
	}
	for _, r := range prog.Refs {
		if r.Op < -1 || int(r.Op) >= len(v.plan.Ops) {
			v.fail("reference to operation %d", r.Op)
		}
	}
	if len(prog.Locks) > program.MaxLocks || len(prog.Cleanup) > program.MaxLocks {
		v.fail("%d locks, %d work directories", len(prog.Locks), len(prog.Cleanup))
	}
	for i, fd := range prog.CloseFDs {
		if slices.Contains(prog.CloseFDs[:i], fd) {
			v.fail("file descriptor %d is closed twice", fd)
		}
	}
	return v.errs
}

func (v *verifier) fail(format string, args ...any) {
	where := ""
	if v.at >= 0 {
		where = fmt.Sprintf("instruction %d, %s: ", v.at, v.prog.Insts[v.at].Call)
	}
	v.errs = append(v.errs, fmt.Errorf(where+format, args...))
}

func (v *verifier) instruction(in *program.Inst) {
	if other := v.later[v.at]; other != nil {
		for i := range v.slots {
			if v.slots[i] != other[i] {
				v.slots[i] = unset
			}
		}
	}
	if in.Ref < 0 || int(in.Ref) >= len(v.prog.Refs) {
		v.fail("reference %d", in.Ref)
	}
	for i := range in.Args {
		switch {
		case in.Slots&(1<<i) != 0:
			v.read(int(in.Args[i]))
		case in.Ptrs&(1<<i) != 0:
			v.pointer(in, i)
		}
	}
	v.paths(in)
	switch in.Call {
	case program.Close:
		v.slots[in.Args[0]] = closed
	case program.ExecFailed:
		v.read(int(in.Args[0]))
		if off := in.Args[1]; off >= uint64(len(v.prog.Arena)) {
			v.fail("list at %d", off)
		}
	case program.Statx:
		if off := in.Args[4]; off+256 > uint64(len(v.prog.Arena)) {
			v.fail("no room at %d", off)
		}
	case program.Same:
		for _, off := range in.Args[:2] {
			if off+8 > uint64(len(v.prog.Arena)) {
				v.fail("no word at %d", off)
			}
		}
	case program.Decimal:
		if off := in.Args[1]; off+21 > uint64(len(v.prog.Arena)) {
			v.fail("no room at %d", off)
		}
	}
	failed := slices.Clone(v.slots)
	if out := int(in.Out); out != int(program.None) {
		if out < 0 || out >= len(v.slots) {
			v.fail("slot %d of %d", out, len(v.slots))
		} else if v.slots[out] == open && in.Flags&program.FlagExec == 0 {
			v.fail("slot %d is overwritten while it is open", out)
		} else {
			v.slots[out] = open
		}
		delete(v.made, out)
		v.base[out] = in.Call == program.Openat && in.Slots&1 == 0 && in.Args[2]&0x200000 != 0 // O_PATH
	}
	v.jump(in, failed)
}

// jump notes the slots for where an instruction may skip to.
func (v *verifier) jump(in *program.Inst, failed []use) {
	if in.Skip == 0 {
		return
	}
	to := v.at + 1 + int(in.Skip)
	if in.Skip < 0 || to >= len(v.prog.Insts) {
		v.fail("skips to %d", to)
		return
	}
	state := failed
	if in.Flags&program.FlagSkipOK != 0 {
		state = slices.Clone(v.slots)
		// Only those come here next who jump: this instruction does not fail.
		if other := v.later[v.at+1]; other != nil {
			copy(v.slots, other)
		}
	}
	if other := v.later[to]; other != nil {
		for i := range state {
			if state[i] != other[i] {
				state[i] = unset
			}
		}
	}
	v.later[to] = state
}

func (v *verifier) read(slot int) {
	if slot >= len(v.slots) {
		v.fail("slot %d of %d", slot, len(v.slots))
	} else if v.slots[slot] != open {
		v.fail("slot %d is read, and not open", slot)
	}
}

func (v *verifier) pointer(in *program.Inst, i int) {
	off, arena := in.Args[i], v.prog.Arena
	if off >= uint64(len(arena)) {
		v.fail("argument %d lies outside the arena", i)
		return
	}
	if texts[in.Call]&(1<<i) != 0 && bytes.IndexByte(arena[off:], 0) < 0 {
		v.fail("argument %d has no end", i)
	}
	if in.Call == program.WriteCall && off+in.Args[2] > uint64(len(arena)) {
		v.fail("data beyond the arena")
	}
}

// text returns the string argument i.
func (v *verifier) text(in *program.Inst, i int) string {
	if in.Ptrs&(1<<i) == 0 {
		return ""
	}
	s, _, _ := bytes.Cut(v.prog.Arena[in.Args[i]:], []byte{0})
	return string(s)
}

// paths checks what an instruction names.
func (v *verifier) paths(in *program.Inst) {
	switch in.Call {
	case program.Openat:
		if v.scratch < 0 && in.Args[0] == fdcwd && v.text(in, 1) == "/" && in.Args[2]&0x200000 != 0 { // O_PATH
			return // the caller's root, to come back to
		}
		v.place(in, 0, 1)
	case program.Mkdirat, program.Mknodat, program.Fchmodat, program.Fchownat, program.Unlinkat, program.OpenTree:
		v.place(in, 0, 1)
	case program.MountSetattr:
		if !(in.Args[0] == fdcwd && v.text(in, 1) == "/" && v.facts.Privileged(v.plan)) {
			v.place(in, 0, 1)
		}
	case program.Symlinkat:
		v.place(in, 1, 2)
	case program.MoveMount:
		if v.text(in, 1) != "" || in.Slots&1 == 0 {
			v.fail("moves %q", v.text(in, 1))
		}
		if in.Slots&4 == 0 && v.text(in, 3) == "/" && v.scratch < 0 {
			v.scratch = int(in.Args[0]) // nothing else is ever mounted on the host's tree
			return
		}
		if in.Slots&4 != 0 && int(in.Args[2]) == v.scratch && v.text(in, 3) == "new" {
			v.root = int(in.Args[0])
			return
		}
		v.place(in, 2, 3)
	case program.Openat2:
		how := v.prog.Arena[in.Args[2]:]
		if v.pivoted && in.Slots&1 == 0 && in.Args[0] == fdcwd && v.text(in, 1) == ".." && binary.NativeEndian.Uint64(how[16:]) == 0x01 { // RESOLVE_NO_XDEV
			v.alone = v.alone || in.Errs[0] == 0
			return
		}
		if p := v.text(in, 1); p == "" || strings.HasPrefix(p, "/") || slices.Contains(strings.Split(p, "/"), "..") {
			v.fail("path %q", p)
		}
		if in.Slots&1 == 0 || int(in.Args[0]) != v.root && !v.base[int(in.Args[0])] {
			v.fail("not below the root of the sandbox or what the plan names")
		}
		if in.Args[3] != 24 || binary.NativeEndian.Uint64(how[16:]) != 0x10|0x04|0x02 { // RESOLVE_IN_ROOT, RESOLVE_NO_SYMLINKS, RESOLVE_NO_MAGICLINKS
			v.fail("resolve %#x", how[:24])
		}
	case program.Fsopen:
		v.fsbox[int(in.Out)] = v.text(in, 0)
	case program.Fsconfig:
		if key := v.text(in, 2); strings.HasSuffix(key, "dir") || strings.HasPrefix(key, "lowerdir") {
			v.hostPath(v.text(in, 3), false)
		}
	case program.Mount:
		v.inScratch(v.text(in, 1))
	case program.Umount2:
		if p := v.text(in, 0); p != "." {
			v.inScratch(p)
		}
	case program.PivotRoot:
		if v.text(in, 0) == "." && v.text(in, 1) == "old" && v.root < 0 {
			return // into scratch, before there is anything else
		}
		if v.text(in, 0) != "." || v.text(in, 1) != "." {
			v.fail("not of the working directory")
		}
		v.pivoted = true
	}
}

// place checks a place that is named by a directory and a path.
func (v *verifier) place(in *program.Inst, dir, path int) {
	p := v.text(in, path)
	if in.Slots&(1<<dir) == 0 {
		if in.Args[dir] != fdcwd {
			v.fail("descriptor %d", int64(in.Args[dir]))
		}
		v.hostPath(p, in.Call == program.Openat && in.Args[2]&3 != 0)
		return
	}
	if p == "" {
		return // the descriptor itself
	}
	slot := int(in.Args[dir])
	parent := ""
	for i, c := range strings.Split(p, "/") {
		if c == "" || c == ".." || c == "." && !((in.Call == program.Fchmodat || in.Call == program.Fchownat) && p == ".") {
			v.fail("path %q", p)
		}
		if i > 0 && !v.made[slot][parent] {
			v.fail("path %q: %q is not of the program's own making", p, parent)
		}
		parent = strings.TrimPrefix(parent+"/"+c, "/")
	}
	if in.Call == program.Mkdirat {
		if v.made[slot] == nil {
			v.made[slot] = map[string]bool{}
		}
		v.made[slot][p] = true
	}
}

// hostPath checks a path of the host, or a relative one in scratch, where the
// program is while it makes an overlay.
func (v *verifier) hostPath(p string, write bool) {
	if !strings.HasPrefix(p, "/") {
		v.inScratch(p)
		return
	}
	if write {
		if p != "/dev/ptmx" && p != "/proc/self/setgroups" && p != "/proc/self/uid_map" && p != "/proc/self/gid_map" {
			v.fail("writes to %q", p)
		}
		return
	}
	if p == "/proc" || strings.HasPrefix(p, "/proc/self/fd/") || strings.HasPrefix(p, "/proc/self/ns/") || strings.HasPrefix(p, "/dev/") || p == v.facts.TTY {
		return
	}
	for i := range v.plan.Ops {
		op := &v.plan.Ops[i]
		switch op.Kind {
		case plan.Bind:
			dir := strings.TrimRight(string(op.Src), "/")
			if !op.Inside && (p == string(op.Src) || p == dir) {
				return
			}
		case plan.Copy:
			if p == string(op.Src) {
				return
			}
		case plan.Overlay:
			if s := plan.Str(p); slices.Contains(op.Lower, s) || s == op.Upper || s == op.Work ||
				op.Upper != "" && op.Work == "" && p == op.DefaultWork() {
				return
			}
		}
	}
	v.fail("%q is not named by the plan", p)
}

// inScratch checks a path relative to scratch.
func (v *verifier) inScratch(p string) {
	name, rest, _ := strings.Cut(p, "/")
	if name == "" || strings.Trim(name, "0123456789") != "" || rest != "" && rest != "upper" && rest != "work" {
		v.fail("path %q is not one of scratch", p)
	}
}
