//go:build linux

package verbs

// What exec costs before main begins.

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// initialisers are the packages that may have some: a package that is not named
// here slows every sandbox down, and has to be worth it.
var initialisers = []string{
	// the language and the operating system
	"runtime", "internal/*", "errors", "iter", "math", "reflect", "sync", "time", "unicode",
	"io/fs", "log", "os", "path/filepath", "syscall", "golang.org/x/sys/unix",
	// JSON, of plans
	"encoding/base64", "encoding/json",
	// Starlark, which has a profiler that compresses
	"compress/flate", "compress/gzip", "hash/crc32", "math/big",
	"go.starlark.net/lib/json", "go.starlark.net/lib/math", "go.starlark.net/starlark", "go.starlark.net/syntax",
	// saves more than it costs
	"sbx/engine/rtinit",
	// signals, for those who attach to a session: 5 µs
	"context", "os/signal",
	// not needed, but kong's and before this one in the alphabet
	"go/doc", "go/scanner", "go/token", "regexp", "regexp/syntax",
}

// TestInit prints the package initialisers of exec with what each takes, in
// microseconds and bytes.
func TestInit(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "x.star")
	if err := os.WriteFile(script, []byte("dev()\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	best := map[string]float64{}
	bytes := map[string]int{}
	var order []string
	for range 5 {
		// The command is not there: the initialisers are all that is wanted.
		cmd := exec.Command(binary(t), "exec", script, "--", "/nothing")
		cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
		out, _ := cmd.CombinedOutput()
		for line := range strings.Lines(string(out)) {
			f := strings.Fields(line)
			if len(f) < 10 || f[0] != "init" {
				continue
			}
			ms, err := strconv.ParseFloat(f[4], 64)
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			if old, ok := best[f[1]]; !ok {
				order = append(order, f[1])
				best[f[1]] = ms
			} else {
				best[f[1]] = min(old, ms)
			}
			bytes[f[1]], _ = strconv.Atoi(f[7])
		}
	}
	if len(order) < 5 {
		t.Fatalf("no trace of initialisers: %q", order)
	}
	sum, total := 0.0, 0
	for _, name := range order {
		sum += best[name]
		total += bytes[name]
		t.Logf("%6.0f µs %6d bytes  %s", 1000*best[name], bytes[name], name)
		if !allowedInit(name) {
			t.Errorf("package %s has an initialiser, which exec pays for: does exec need it?", name)
		}
	}
	t.Logf("%6.0f µs %6d bytes  in all %d", 1000*sum, total, len(order))
	if total > 64<<10 {
		t.Errorf("the initialisers of exec allocate %d bytes", total)
	}
}

func allowedInit(name string) bool {
	if !strings.HasPrefix(runtime.Version(), "go1.26") && !strings.Contains(strings.Split(name, "/")[0], ".") && !strings.HasPrefix(name, "sbx/") {
		return true // another standard library has others
	}
	return slices.ContainsFunc(initialisers, func(p string) bool {
		dir, all := strings.CutSuffix(p, "/*")
		return p == name || all && strings.HasPrefix(name, dir+"/")
	})
}
