package program

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"sbx/engine/plan"
)

func TestSize(t *testing.T) {
	if n := unsafe.Sizeof(Inst{}); n != 64 {
		t.Errorf("an instruction has %d bytes", n)
	}
}

// TestTables has each call named, and none without a format but those without
// arguments.
func TestTables(t *testing.T) {
	bare := map[Call]bool{Setsid: true, Getpid: true, ForkCommand: true, ForkOn: true, Gate: true}
	seen := map[string]bool{}
	for c := range numCalls {
		if name := c.String(); name == "" || seen[name] {
			t.Errorf("call %d is named %q", c, name)
		} else {
			seen[name] = true
		}
		if f := formats[c]; (f == "") != bare[c] || len(f) > 6 {
			t.Errorf("%s has the format %q", c, f)
		}
	}
	if s := Call(200).String(); s != "call 200" {
		t.Errorf("beyond the last: %q", s)
	}
}

// TestPrintForged has strings of a script that would pass for other lines.
func TestPrintForged(t *testing.T) {
	const forged = "/a\n# bind / [ro]\x1b]0;owned\a  \u202e(a.star:1:1)"
	at := plan.Origin{Pos: plan.Pos{File: forged, Line: 1, Col: 1}}
	pl := plan.New()
	pl.Ops = []plan.Op{{Kind: plan.Tmpfs, Dst: forged, At: at}}
	pl.SetWhere("chdir", at)
	p := &Program{Plan: pl, Refs: []Ref{{Op: 0}, {Op: -1, Key: "chdir", What: "chdir", Path: forged}}}
	p.Add(0, Mkdirat, Imm(1), p.Str(forged), Imm(0o755))
	p.Add(1, Chdir, p.Str(forged))
	p.Add(1, WriteCall, Imm(1), p.Bytes(forged), Imm(len(forged)))
	var b bytes.Buffer
	if err := p.Print(&b); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "\n"); n != 5 || plan.Printable(strings.ReplaceAll(b.String(), "\n", "")) != strings.ReplaceAll(b.String(), "\n", "") {
		t.Errorf("%d lines:\n%q", n, &b)
	}
	if want := "# chdir " + strconv.Quote(forged) + "  ("; !strings.Contains(b.String(), want) {
		t.Errorf("%s\nhas no %s", &b, want)
	}
}

func TestPrint(t *testing.T) {
	at := func(line int32) plan.Origin { return plan.Origin{Pos: plan.Pos{File: "a.star", Line: line, Col: 2}} }
	pl := plan.New()
	pl.Ops = []plan.Op{{Kind: plan.Tmpfs, Dst: "/t", At: at(1)}, {Kind: plan.Mkdir, Dst: "/m"}}
	pl.SetWhere("chdir", at(3))
	p := &Program{Plan: pl, Refs: []Ref{{Op: 0}, {Op: 1}, {Op: -1, Key: "chdir", What: "chdir", Path: "/d"}, {Op: -1, What: "end"}}}
	add := p.Add
	add(0, Openat, Imm(-100), p.Str("/x"), Imm(0x80), Imm(0o600)).Out = 0
	in := add(0, Openat2, Slot(0).Arg(), p.Str("a\x01\""), p.Words(1, 0, 18), Imm(24))
	in.Errs, in.Skip = [2]uint8{2, 17}, 3
	in = add(0, WriteCall, Imm(2), p.Bytes(string(bytes.Repeat([]byte("y"), 70))), Imm(70))
	in.Flags = FlagAnyErr
	add(0, Sendfile, Imm(1), Imm(2), Imm(0), Imm(9)).Flags = FlagLoop
	add(1, MountSetattr, Slot(1).Arg(), p.Str(""), Imm(0x1000), p.Words(1, 0, 2, 0), Imm(32))
	add(1, Getpid).Flags = FlagSkipOK
	p.Insts[len(p.Insts)-1].Skip = 2
	in = add(1, Fsconfig, Slot(1).Arg(), Imm(0), p.Str("ro"), Imm(0), Imm(0))
	in.Errs = [2]uint8{1, 99}
	add(1, Mkdirat, Slot(1).Arg(), p.Str("d"), Imm(0o755)).Errs = [2]uint8{22}
	add(2, Prlimit64, Imm(0), Imm(7), p.Words(1, 2), Imm(0))
	add(2, Capset, p.Words32(1, 0), p.Words32(3, 3, 3, 1, 1, 1))
	add(2, Seccomp, Imm(1), Imm(0), p.CountAndPointer(5, p.Words(0)))
	add(2, Ioctl, Imm(1), Imm(0x8914), p.Words(0))
	argv := p.Pointers([]Arg{p.Str("a b"), p.Str("c")})
	in = add(3, Execve, p.Str("/e"), argv, p.Pointers([]Arg{p.Str("A=1")}))
	in.Flags, in.Out = FlagExec, 4
	add(3, ExecFailed, Imm(4), Imm(0))
	want := `# tmpfs /t  (a.star:1:2)
   0  openat(AT_FDCWD, "/x", 0x80, 0600) = $0
   1  openat2($0, "a\x01\"", {flags=0x1, resolve=0x12}, 24)  [ENOENT or EEXIST is fine, skip 3]
   2  write(2, "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"…, 70)  [any error is fine]
   3  sendfile(1, 2, 0, 9)  [until 0]
# mkdir /m
   4  mount_setattr($1, "", 0x1000, {set=0x1, propagation=0x2}, 32)
   5  getpid()  [skip 2]
   6  fsconfig($1, 0, "ro", NULL, 0)  [EPERM or errno 99 is fine]
   7  mkdirat($1, "d", 0755)  [EINVAL is fine]
# chdir /d  (a.star:3:2)
   8  prlimit64(0, 7, {soft=1, hard=2}, 0)
   9  capset({…}, {effective=0x100000003})
  10  seccomp(1, 0, {5 instructions})
  11  ioctl(1, 0x8914, {…})
# end
  12  execve("/e", ["a b", "c"], [1 variables])  [next on failure]
  13  exec_failed(4)
`
	var b bytes.Buffer
	if err := p.Print(&b); err != nil {
		t.Fatal(err)
	}
	if b.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", &b, want)
	}
}
