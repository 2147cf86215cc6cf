package eval

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"sbx/engine/plan"
)

func TestSource(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ path, want string }{
		{file("ok.star", "\ufeffdev()\r\nproc()\r\n"), ""},
		{file("empty.star", ""), ""},
		{file("nul.star", "x = 1\ny = \"\x00\""), `nul.star:2:6: error: the script holds a NUL byte`},
		{file("latin.star", "x = 1\n# é \xe9"), `latin.star:2:5: error: the script is not valid UTF-8`},
		{dir, `cannot read script .*: it is a directory`},
		{fifo, `cannot read script .*: it is not a regular file`},
		{"/dev/zero", `cannot read script "/dev/zero": it is not a regular file`},
		{filepath.Join(dir, "none"), `cannot read script .*: no such file or directory`},
		{file("large.star", strings.Repeat("#", MaxSource+1)), `cannot read script .*: it is larger than 8 MiB`},
	} {
		_, err := Eval(Options{File: tt.path})
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !regexp.MustCompile(tt.want).MatchString(err.Error())) {
			t.Errorf("%s: %v", tt.path, err)
		}
	}
	p, err := Eval(Options{File: "-", Source: []byte("bind(script.dir)"), Host: newFakeHost()})
	if err != nil || p.Ops[0].Src != "/work/dir" || p.Ops[0].At.Pos.File != "<stdin>" {
		t.Errorf("stdin: %v, %v", p, err)
	}
}

func TestLimits(t *testing.T) {
	nest := func(open, mid, end string, n int) string {
		return strings.Repeat(open, n) + mid + strings.Repeat(end, n)
	}
	for _, tt := range []struct{ name, src, want string }{
		{"loop", "def f():\n  for i in range(1000000):\n    for j in range(1000000):\n      pass\nf()", `t.star:3:5: error: the script made 2000000 steps without coming to an end`},
		{"binds", "for i in range(1000000):\n  bind('/a')", `t.star:2:3: error: bind: the plan has 100000 operations already`},
		{"env", "for i in range(1000000):\n  setenv('a', 'b')", `t.star:2:3: error: setenv: the plan has 100000 changes`},
		{"strings", "s = 'x' * (1 << 26)\nfor i in range(10):\n  write('/a', s)", `t.star:3:3: error: write: the strings of the plan come to more than`},
		{"list", "clearenv(keep = ['a'] * 200000)", `argument "keep" has 200000 elements`},
		{"parens", nest("(", "1", ")", 1000000), `excessive nesting`},
		{"brackets", "x = " + nest("[", "1", "]", 5000), `excessive nesting`},
		{"unary", "x = " + nest("-", "1", "", 1000000), `excessive nesting`},
		{"dots", "x = y" + nest(".a", "", "", 100000), `the nesting is too deep`},
		{"calls", "x = 1\nx" + nest("()", "", "", 100000), `the nesting is too deep`},
		{"indices", "x = 1\nx" + nest("[0]", "", "", 50000), `the nesting is too deep`},
		{"sum", "x = 1" + nest(" + 1", "", "", 50000), `the nesting is too deep`},
		{"elif", "if 1:\n  pass\n" + nest("elif 1:\n  pass\n", "", "", 100000), `the nesting is too deep`},
		{"faults", "for i in range(1000):\n  bind('/a', 'b', i)\n" + nest("bind(1)\n", "", "", 200), `(t.star.*\n){100}t.star:102:1: error: bind: argument "src" is an int, want a string or bytes$`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			start := time.Now()
			_, err := Eval(Options{File: "t.star", Source: []byte(tt.src), Host: newFakeHost(), MaxSteps: 2_000_000, MaxMemory: 8 << 30})
			if err == nil || !regexp.MustCompile(tt.want).MatchString(err.Error()) {
				s := "none"
				if err != nil {
					s = err.Error()
				}
				t.Errorf("err = %.400s", s)
			}
			if d := time.Since(start); d > 10*time.Second {
				t.Errorf("took %v", d)
			}
		})
	}
}

func TestWatch(t *testing.T) {
	loop := []byte("def f():\n  for i in range(1000000):\n    for j in range(1000000):\n      pass\nf()")
	_, err := Eval(Options{File: "t.star", Source: loop, Host: newFakeHost(), MaxSteps: 1 << 60, MaxMemory: 8 << 30, MaxTime: 50 * time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "t.star:3:5: error: the script ran for 50ms") {
		t.Errorf("time: %v", err)
	}
	// Memory is the whole process's, so that any limit below is passed.
	_, err = Eval(Options{File: "t.star", Source: loop, Host: newFakeHost(), MaxSteps: 1 << 60, MaxMemory: 1 << 20})
	if err == nil || !strings.Contains(err.Error(), "t.star:3:5: error: the script uses more than 1 MiB of memory") {
		t.Errorf("memory: %v", err)
	}
	cancel := make(chan struct{})
	time.AfterFunc(30*time.Millisecond, func() { close(cancel) })
	_, err = Eval(Options{File: "t.star", Source: loop, Host: newFakeHost(), MaxSteps: 1 << 60, MaxMemory: 8 << 30, Cancel: cancel})
	if err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("cancel: %v", err)
	}
	// One operation that goes on and on can only be told.
	aborted := make(chan plan.Diagnostic, 100)
	_, err = Eval(Options{File: "t.star", Source: []byte("x = max([max(range(9999999)) for i in range(3)])"), Host: newFakeHost(), MaxMemory: 1 << 19,
		Abort: func(d plan.Diagnostic) {
			select {
			case aborted <- d:
			default:
			}
		}})
	if err == nil || len(aborted) == 0 {
		t.Errorf("abort: %v, %d", err, len(aborted))
	}
}

// TestJudge: the bounds are of time, however few looks there have been at a script.
func TestJudge(t *testing.T) {
	const mib = 1 << 20
	o := &Options{MaxMemory: 512 * mib, MaxTime: 15 * time.Second}
	for _, tt := range []struct {
		name      string
		ran, told time.Duration
		used      uint64
		collected bool
		want      verdict
		reason    string
	}{
		{"at work", time.Second, -1, 100 * mib, false, goOn, ""},
		{"at the bounds", 15 * time.Second, -1, 512 * mib, false, goOn, ""},
		{"too long", 15*time.Second + 1, -1, 100 * mib, false, tellToStop, stopTime},
		{"perhaps garbage", time.Second, -1, 513 * mib, false, collectFirst, ""},
		{"perhaps garbage, too long", time.Minute, -1, 513 * mib, false, collectFirst, ""},
		{"no garbage", time.Second, -1, 513 * mib, true, tellToStop, stopMemory},
		{"no garbage, too long", time.Minute, -1, 513 * mib, true, tellToStop, stopMemory},
		{"was garbage", time.Second, -1, 10 * mib, true, goOn, ""},
		{"was garbage, too long", time.Minute, -1, 10 * mib, true, tellToStop, stopTime},
		{"far too large", time.Second, -1, 1025 * mib, false, abort, stopMemory},
		{"just told", 16 * time.Second, 0, 100 * mib, false, goOn, ""},
		{"told, and no more collection", 16 * time.Second, time.Second, 513 * mib, false, goOn, ""},
		{"told, and far too large", 16 * time.Second, time.Second, 1025 * mib, false, abort, ""},
		{"told two seconds ago", 17 * time.Second, 2 * time.Second, 100 * mib, false, goOn, ""},
		{"told long ago", 17 * time.Second, 2*time.Second + 1, 100 * mib, false, abort, ""},
		{"told long ago, and large", 17 * time.Second, 2*time.Second + 1, 513 * mib, false, abort, ""},
		{"memory cannot be told", time.Second, -1, 0, false, goOn, ""},
	} {
		if got, reason := o.judge(tt.ran, tt.told, tt.used, tt.collected); got != tt.want || reason != tt.reason {
			t.Errorf("%s: %v %q, want %v %q", tt.name, got, reason, tt.want, tt.reason)
		}
	}
}
