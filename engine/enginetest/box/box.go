// Package box is the harness of the tests that make sandboxes: a directory to work
// in, the users that run a program, and how a run ended. It is for tests alone.
package box

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Patience bounds every wait; nothing is expected to take that long, but on a slow
// machine, an emulator perhaps, for which SBX_TEST_PATIENCE is another duration.
var Patience = patience(os.Getenv("SBX_TEST_PATIENCE"))

func patience(given string) time.Duration {
	if d, err := time.ParseDuration(given); err == nil && d > 0 {
		return d
	}
	return 60 * time.Second
}

// Work is a directory that everybody may enter, while Main lasts.
var Work string

// broken is why this host cannot make sandboxes, or "".
var broken string

// Main is for TestMain: it makes Work, calls setUp, runs the tests and exits.
func Main(m *testing.M, setUp func() error) {
	code, err := run(m, setUp)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M, setUp func() error) (code int, err error) {
	syscall.Umask(0o022)
	for _, sig := range []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGPIPE} {
		if signal.Ignored(sig) { // as in the background of a script; what is run would inherit it
			signal.Notify(make(chan os.Signal, 1), sig)
		}
	}
	if Work, err = os.MkdirTemp("", "sbx-test-"); err != nil {
		return 0, err
	}
	defer os.RemoveAll(Work)
	if Work, err = filepath.EvalSymlinks(Work); err != nil {
		return 0, err
	}
	if err := os.Chmod(Work, 0o755); err != nil {
		return 0, err
	}
	if err := setUp(); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// Build builds a program in Work and returns its path.
func Build(pkg string, flags ...string) (string, error) {
	bin := filepath.Join(Work, path.Base(pkg))
	cmd := exec.Command("go", append(append([]string{"build", "-o", bin}, flags...), pkg)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %v\n%s", pkg, err, out)
	}
	return bin, readSource()
}

// sourceRead calls readSource once.
var sourceRead = sync.OnceValue(readSource)

// readSource reads the directories that programs are built from. "go test" notes what
// tests read, but not what their children do: else it would have a result of an older
// program for that of this one. It notes nothing before the tests begin.
func readSource() error {
	root, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		if root == filepath.Dir(root) {
			return errors.New("there is no go.mod")
		}
		root = filepath.Dir(root)
	}
	for _, top := range []string{"cmd", "starlark", "engine", "lib"} {
		err = errors.Join(err, filepath.WalkDir(filepath.Join(root, top), func(_ string, _ fs.DirEntry, err error) error { return err }))
	}
	return err
}

// Try makes a sandbox as the first of Users. Where that fails, Need skips.
func Try(name string, args ...string) {
	cmd := exec.Command(name, args...)
	Users()[0].Become(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		broken = fmt.Sprintf("%v: %s", err, out)
	}
}

// Need skips where no sandbox can be made, unless that is a must.
func Need(t testing.TB) {
	t.Helper()
	Must(t, sourceRead())
	if broken != "" {
		Skip(t, "no sandboxes here: "+broken)
	}
}

// Skip skips the test, or fails it where sandboxes must work.
func Skip(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("SBX_MUST_WORK") != "" {
		t.Fatal("must not be skipped: " + why)
	}
	t.Skip(why)
}

// Each runs f once as an ordinary user and once as root, if it can.
func Each(t *testing.T, f func(t *testing.T, u User)) {
	t.Helper()
	Need(t)
	for _, u := range Users() {
		t.Run(u.Name, func(t *testing.T) { f(t, u) })
	}
}

// Must ends the test if there is an error.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Eventually polls until ok.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(Patience); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatal("waited in vain: " + what)
}
