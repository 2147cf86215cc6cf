package seccomp

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// filters is every filter there is but the empty one.
func filters() (all []Filter) {
	for i := 1; i < 8; i++ {
		all = append(all, Filter{i&1 != 0, i&2 != 0, i&4 != 0})
	}
	return all
}

// An oracle says what a filter does on one ABI, from names rather than numbers.
type oracle struct {
	name  string
	arch  string // the argument of Program
	audit uint32
	calls map[uint32]string
	alias func(uint32) uint32 // number as the table has it
}

// same is for the ABIs whose numbers are all bits.
func same(nr uint32) uint32 { return nr }

// oracles is written down apart from the tables of the package; TestNumbers holds
// it against the tables of golang.org/x/sys.
var oracles = []oracle{
	{"x86_64", "amd64", 0xc000003e, map[uint32]string{
		16: "ioctl", 26: "msync", 74: "fsync", 75: "fdatasync", 92: "chown", 93: "fchown", 94: "lchown",
		162: "sync", 260: "fchownat", 277: "sync_file_range", 306: "syncfs", 514: "ioctl",
	}, func(nr uint32) uint32 { return nr &^ 0x40000000 }},
	{"i386", "amd64", 0x40000003, map[uint32]string{
		16: "lchown", 36: "sync", 54: "ioctl", 95: "fchown", 118: "fsync", 144: "msync", 148: "fdatasync",
		182: "chown", 198: "lchown32", 207: "fchown32", 212: "chown32", 298: "fchownat",
		314: "sync_file_range", 344: "syncfs",
	}, same},
	{"aarch64", "arm64", 0xc00000b7, map[uint32]string{
		29: "ioctl", 54: "fchownat", 55: "fchown", 81: "sync", 82: "fsync", 83: "fdatasync",
		84: "sync_file_range", 227: "msync", 267: "syncfs",
	}, same},
	{"arm", "arm64", 0x40000028, map[uint32]string{
		16: "lchown", 36: "sync", 54: "ioctl", 95: "fchown", 118: "fsync", 144: "msync", 148: "fdatasync",
		182: "chown", 198: "lchown32", 207: "fchown32", 212: "chown32", 325: "fchownat",
		341: "arm_sync_file_range", 373: "syncfs",
	}, same},
}

const (
	wantAllow    = 0x7fff0000
	wantSuppress = 0x00050000
	wantEPERM    = 0x00050001
)

// want is the result f has to give for a call.
func (o *oracle) want(f Filter, nr uint32, args [6]uint64) uint32 {
	switch name := o.calls[o.alias(nr)]; {
	case name == "":
	case name == "ioctl":
		if cmd := uint32(args[1]); f.DenyTTYInjection && (cmd == 0x5412 || cmd == 0x541c) {
			return wantEPERM
		}
	case strings.Contains(name, "chown"):
		if f.SuppressChown {
			return wantSuppress
		}
	case name == "msync":
		if f.SuppressSync && args[2]&4 != 0 {
			return wantSuppress
		}
	case f.SuppressSync:
		return wantSuppress
	}
	return wantAllow
}

func program(t testing.TB, f Filter, arch string) []byte {
	p, err := f.Program(arch)
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(p); err != nil {
		t.Fatalf("%s %+v: %v", arch, f, err)
	}
	return p
}

// argSets are arguments that make a difference, or nearly do.
var argSets = [][6]uint64{
	{},
	{1, 0x5412}, {1, 0x541c}, {1, 0x5413}, {1, 0x5411}, {1, 0x541b}, {0x5412, 0, 0x5412},
	{1, 0x1_0000_5412}, {1, 0xffff_ffff_0000_541c}, {1, 0x5412_0000_0000}, {1, 0x8000_5412},
	{4096, 4096, 4}, {4096, 4096, 1}, {4096, 4096, 6}, {4096, 4096, 1 << 34}, {4, 4, 0, 4}, {4096, 4096, 0xf_0000_0004},
}

// TestMatrix runs every filter on every number of every ABI.
func TestMatrix(t *testing.T) {
	var numbers []uint32
	for nr := range uint32(1100) {
		numbers = append(numbers, nr, nr|0x40000000, nr|0x80000000, nr|0xc0000000)
	}
	numbers = append(numbers, 0xffffffff, 0x7fffffff, 0xbfffffff, 0xf0005, 0x10000|92, 0x10000|16)
	for _, o := range oracles {
		for _, f := range filters() {
			t.Run(fmt.Sprintf("%s/%+v", o.name, f), func(t *testing.T) {
				p := program(t, f, o.arch)
				for _, nr := range numbers {
					sets := argSets
					if o.calls[o.alias(nr)] == "" {
						sets = argSets[:2]
					}
					for _, args := range sets {
						d := data{nr, o.audit, args}
						got, steps, err := run(p, &d, false)
						if err != nil {
							t.Fatalf("%+v: %v", d, err)
						}
						if want := o.want(f, nr, args); got != want {
							t.Fatalf("%+v (%s): %#x, want %#x", d, o.calls[o.alias(nr)], got, want)
						}
						if steps > 14 {
							t.Fatalf("nr %d takes %d instructions", nr, steps)
						}
					}
				}
			})
		}
	}
}

// TestEveryCallNamed guards the oracle: each ABI has each call it can have.
func TestEveryCallNamed(t *testing.T) {
	for _, o := range oracles {
		want := []string{"ioctl", "msync", "fsync", "fdatasync", "sync", "syncfs", "fchown", "fchownat"}
		switch o.name {
		case "x86_64":
			want = append(want, "ioctl", "chown", "lchown", "sync_file_range")
		case "i386":
			want = append(want, "chown", "lchown", "chown32", "lchown32", "fchown32", "sync_file_range")
		case "aarch64":
			want = append(want, "sync_file_range")
		case "arm":
			want = append(want, "chown", "lchown", "chown32", "lchown32", "fchown32", "arm_sync_file_range")
		}
		var got []string
		for _, name := range o.calls {
			got = append(got, name)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", o.name, got, want)
		}
	}
}

// TestNumbers holds the oracle against the tables that golang.org/x/sys generates
// from the kernel's headers. It has none for x32.
func TestNumbers(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/sys").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	dir := strings.TrimSpace(string(out))
	files := map[string]string{"x86_64": "amd64", "i386": "386", "aarch64": "arm64", "arm": "arm"}
	line := regexp.MustCompile(`(?m)^\tSYS_(\w+) += (\d+)$`)
	listed := regexp.MustCompile(`^(f|l)?chown(32|at)?$|^(arm_)?sync_file_range2?$|^(f|m|fdata)?sync(fs)?$|^ioctl$`)
	for _, o := range oracles {
		src, err := os.ReadFile(filepath.Join(dir, "unix", "zsysnum_linux_"+files[o.name]+".go"))
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, m := range line.FindAllStringSubmatch(string(src), -1) {
			name := strings.ToLower(m[1])
			if !listed.MatchString(name) {
				continue
			}
			found++
			nr, _ := strconv.ParseUint(m[2], 10, 32)
			if o.calls[uint32(nr)] != name {
				t.Errorf("%s: %s is %d, the test has %q there", o.name, name, nr, o.calls[uint32(nr)])
			}
		}
		if o.name == "x86_64" {
			found++ // ioctl of x32
		}
		if found != len(o.calls) {
			t.Errorf("%s: %d calls in golang.org/x/sys, %d in the test", o.name, found, len(o.calls))
		}
	}
}

// TestCache checks that the kernel can take every allowed number but those whose
// arguments count from its cache, that is without running the filter.
func TestCache(t *testing.T) {
	for _, o := range oracles {
		for _, f := range filters() {
			p := program(t, f, o.arch)
			for nr := range uint32(600) {
				got, _, err := run(p, &data{nr: nr, arch: o.audit}, true)
				name := o.calls[nr]
				looks := name == "ioctl" && f.DenyTTYInjection || name == "msync" && f.SuppressSync
				if (err != nil) != looks {
					t.Fatalf("%s %+v: nr %d: constant: %v", o.name, f, nr, err)
				}
				if want := o.want(f, nr, [6]uint64{}); err == nil && got != want {
					t.Fatalf("%s %+v: nr %d: %#x, want %#x", o.name, f, nr, got, want)
				}
			}
		}
	}
}

func TestOtherArchitectures(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		for _, f := range filters() {
			p := program(t, f, arch)
			for _, audit := range []uint32{0, 0xc00000f3 /* riscv64 */, 0x40000008 /* mips */, 0xffffffff} {
				for nr := range uint32(600) {
					if got, _, err := run(p, &data{nr: nr, arch: audit, args: argSets[1]}, false); err != nil || got != wantAllow {
						t.Fatalf("audit arch %#x, nr %d: %#x, %v", audit, nr, got, err)
					}
				}
			}
		}
	}
}

func TestProgramErrors(t *testing.T) {
	if p, err := (Filter{}).Program("amd64"); p != nil || err != nil {
		t.Errorf("empty filter: %v, %v", p, err)
	}
	for _, arch := range []string{"", "mips", "AMD64"} {
		p, err := Filter{SuppressSync: true}.Program(arch)
		if want := fmt.Sprintf("seccomp: unknown architecture %q", arch); p != nil || err == nil || err.Error() != want {
			t.Errorf("%v, %v; want %s", p, err, want)
		}
	}
}

// TestTables checks what the assembler relies on.
func TestTables(t *testing.T) {
	for _, abis := range [][2]abi{amd64, arm64} {
		for _, a := range abis {
			if len(a.calls) > maxCalls {
				t.Errorf("%#x: %d calls, maxCalls is %d", a.audit, len(a.calls), maxCalls)
			}
			if !slices.IsSortedFunc(a.calls, func(x, y call) int { return int(x.nr) - int(y.nr) }) {
				t.Errorf("%#x: not sorted", a.audit)
			}
		}
	}
}

func FuzzProgram(f *testing.F) {
	for _, o := range oracles {
		for nr := range o.calls {
			f.Add(uint8(7), o.audit, nr, uint64(0x5412), uint64(4))
			f.Add(uint8(7), o.audit, nr|0x40000000, uint64(1)<<40|0x541c, uint64(0))
		}
	}
	f.Fuzz(func(t *testing.T, bits uint8, audit, nr uint32, arg1, arg2 uint64) {
		filter := Filter{bits&1 != 0, bits&2 != 0, bits&4 != 0}
		for _, arch := range []string{"amd64", "arm64"} {
			if filter == (Filter{}) {
				continue
			}
			d := data{nr, audit, [6]uint64{0, arg1, arg2}}
			got, _, err := run(program(t, filter, arch), &d, false)
			want := uint32(wantAllow)
			for i := range oracles {
				if o := &oracles[i]; o.arch == arch && o.audit == audit {
					want = o.want(filter, nr, d.args)
				}
			}
			if err != nil || got != want {
				t.Fatalf("%s %+v %+v: %#x, %v; want %#x", arch, filter, d, got, err, want)
			}
		}
	})
}

func BenchmarkProgram(b *testing.B) {
	for b.Loop() {
		p, err := Filter{true, true, true}.Program("amd64")
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(p)))
	}
}
