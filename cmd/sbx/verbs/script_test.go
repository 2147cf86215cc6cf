//go:build linux

package verbs

// The verbs as users meet them: testdata/script holds command lines with what
// they print and how they end, each on sandboxes that an ordinary user makes;
// those of testdata/root need root.

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"sbx/engine/enginetest/box"
	"sbx/engine/host/probe"
)

// Variables of the test process that runs as an ordinary user.
const (
	binaryEnv  = "SBX_TEST_BINARY"
	scriptsEnv = "SBX_TEST_SCRIPTS"
	updateEnv  = "SBX_UPDATE" // set by hand: rewrite what cmp compares with
)

func TestMain(m *testing.M) {
	probe.ChildMain()
	box.Main(m, func() error { return nil })
}

// built is the sbx binary under test, not the test binary: start-up, signals
// and exit codes shall be those of users.
var built = sync.OnceValues(func() (string, error) { return box.Build("sbx/cmd/sbx") })

func binary(t *testing.T) string {
	t.Helper()
	if name := os.Getenv(binaryEnv); name != "" {
		return name
	}
	name, err := built()
	box.Must(t, err)
	return name
}

func TestScript(t *testing.T) {
	if os.Getuid() == 0 {
		asNobody(t)
		return
	}
	dir := os.Getenv(scriptsEnv)
	if dir == "" {
		dir = "testdata/script"
	}
	runScripts(t, dir)
}

// TestScriptRoot runs what differs for real root.
func TestScriptRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("not root")
	}
	if r, _ := probe.Run("mount-api"); r.Status != probe.OK {
		box.Skip(t, r.Name+": "+r.Detail)
	}
	runScripts(t, "testdata/root")
}

// asNobody runs TestScript as a user without any rights, from a directory that
// it can read.
func asNobody(t *testing.T) {
	user := box.Users()[0]
	dir := user.DirIn(t, os.TempDir()) // a socket's path has at most 107 bytes
	box.Must(t, os.CopyFS(filepath.Join(dir, "script"), os.DirFS("testdata/script")))
	for _, name := range []string{"home", "tmp"} {
		box.Must(t, os.Mkdir(filepath.Join(dir, name), 0o700))
		user.Own(t, filepath.Join(dir, name))
	}
	self, err := os.ReadFile("/proc/self/exe")
	box.Must(t, err)
	box.Must(t, os.WriteFile(filepath.Join(dir, "sbx.test"), self, 0o755))

	run := "^TestScript$"
	if _, rest, ok := strings.Cut(testFlag("test.run"), "/"); ok {
		run += "/" + rest
	}
	args := []string{"-test.run=" + run, "-test.timeout=" + testFlag("test.timeout")}
	if testing.Verbose() {
		args = append(args, "-test.v")
	}
	cmd := exec.Command(filepath.Join(dir, "sbx.test"), args...)
	cmd.Dir = filepath.Join(dir, "home")
	cmd.Env = append(os.Environ(), "HOME="+cmd.Dir, "TMPDIR="+filepath.Join(dir, "tmp"), "GOTMPDIR=",
		binaryEnv+"="+binary(t), scriptsEnv+"="+filepath.Join(dir, "script"))
	user.Become(cmd)
	if os.Getenv(updateEnv) != "" {
		scripts, err := filepath.Glob(filepath.Join(dir, "script", "*"))
		box.Must(t, err)
		for _, name := range scripts {
			user.Own(t, name)
			t.Cleanup(func() {
				b, err := os.ReadFile(name)
				box.Must(t, err)
				box.Must(t, os.WriteFile(filepath.Join("testdata/script", filepath.Base(name)), b, 0o644))
			})
		}
	}
	out, err := cmd.CombinedOutput()
	switch {
	case err != nil:
		t.Fatalf("as user %d: %v\n%s", user.UID, err, out)
	case bytes.Contains(out, []byte("--- SKIP: TestScript (")):
		t.Skipf("as user %d:\n%s", user.UID, out)
	}
	t.Logf("as user %d:\n%s", user.UID, out)
}

func testFlag(name string) string {
	for _, a := range os.Args[1:] {
		if v, ok := strings.CutPrefix(a, "-"+name+"="); ok {
			return v
		}
	}
	return map[string]string{"test.timeout": "10m"}[name]
}

// baseModule is what most of the scripts' sandboxes start from.
const baseModule = `
def base():
    bind("/usr", ro = True)
    for d in ["bin", "sbin", "lib", "lib32", "lib64"]:
        if is_dir("/" + d):
            if realpath("/" + d).startswith("/usr/"):
                symlink("usr/" + d, "/" + d)
            else:
                bind("/" + d, ro = True)
    dev()
    proc()
    tmpfs("/tmp")
`

func runScripts(t *testing.T, dir string) {
	if r, _ := probe.Run("user-namespaces"); r.Status != probe.OK {
		box.Skip(t, r.Name+": "+r.Detail)
	}
	bin := binary(t)
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv(updateEnv) != "",
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", filepath.Dir(bin)+":/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("SHELL", "/bin/sh")
			e.Setenv("SBX_TEST_WORK", e.WorkDir)
			e.Defer(func() { e.T().(testing.TB).Helper(); nothingLeft(e.T().(testing.TB), e.WorkDir) })
			return os.WriteFile(filepath.Join(e.WorkDir, "base.star"), []byte(baseModule), 0o644)
		},
		Condition: func(cond string) (bool, error) {
			if cond != "xattr" {
				return false, fmt.Errorf("no such condition: %s", cond)
			}
			// Work directories have user attributes, as tmpfs has since Linux 6.6.
			_, err := unix.Getxattr(os.TempDir(), "user.sbx", nil)
			return err != unix.EOPNOTSUPP, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code": cmdCode, "oci": cmdOCI, "pty": cmdPTY, "waitfor": cmdWaitFor, "same": cmdSame,
		},
	})
}

// nothingLeft checks that a script's sandboxes are gone: their processes, mounts
// and temporary files.
func nothingLeft(t testing.TB, work string) {
	t.Helper()
	mark := []byte("SBX_TEST_WORK=" + work + "\x00")
	deadline := time.Now().Add(box.Patience / 20)
	for {
		var left []string
		dirs, err := os.ReadDir("/proc")
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range dirs {
			if pid, err := strconv.Atoi(d.Name()); err != nil || pid == os.Getpid() {
				continue
			}
			if env, err := os.ReadFile("/proc/" + d.Name() + "/environ"); err == nil && bytes.Contains(env, mark) {
				cmd, _ := os.ReadFile("/proc/" + d.Name() + "/cmdline")
				left = append(left, d.Name()+" "+string(bytes.ReplaceAll(cmd, []byte{0}, []byte{' '})))
			}
		}
		if left == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Errorf("processes are left: %q", left)
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if b, err := os.ReadFile("/proc/self/mountinfo"); err != nil || bytes.Contains(b, []byte(work)) {
		t.Errorf("mounts are left, or not to be read: %v\n%s", err, b)
	}
	if list, err := os.ReadDir(filepath.Join(work, ".tmp")); err != nil || len(list) > 0 {
		t.Errorf("temporary files are left: %v %v", list, err)
	}
}

// cmdCode is "code N PROGRAM ARGS…": the program must end with that exit code,
// or by the signal of that name.
func cmdCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N|SIGNAL program [args...]")
	}
	if got := ending(ts.Exec(args[1], args[2:]...)); got != args[0] {
		ts.Fatalf("ended with %s, want %s", got, args[0])
	}
}

func ending(err error) string {
	var e *exec.ExitError
	switch {
	case err == nil:
		return "0"
	case !errors.As(err, &e):
		return err.Error()
	}
	if st := e.Sys().(syscall.WaitStatus); st.Signaled() {
		return strings.TrimPrefix(unix.SignalName(st.Signal()), "SIG")
	}
	return strconv.Itoa(e.ExitCode())
}

// cmdPTY is code on a terminal of 100 columns, whose output becomes stdout.
func cmdPTY(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: pty N|SIGNAL program [args...]")
	}
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	ts.Check(err)
	defer master.Close()
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	ts.Check(err)
	ts.Check(unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0))
	ts.Check(unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 30, Col: 100}))
	slave, err := os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	ts.Check(err)
	name := args[1]
	if name == "sbx" {
		name = filepath.Join(strings.SplitN(ts.Getenv("PATH"), ":", 2)[0], name)
	}
	cmd := exec.Command(name, args[2:]...)
	cmd.Dir = ts.MkAbs(".")
	for _, v := range []string{"PATH", "HOME", "SHELL", "SBX_TEST_WORK", "TMPDIR", "NO_COLOR", "TERM", "WORK"} {
		if s := ts.Getenv(v); s != "" {
			cmd.Env = append(cmd.Env, v+"="+s)
		}
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	ts.Check(cmd.Start())
	slave.Close()
	out := make(chan []byte)
	go func() {
		b, _ := io.ReadAll(master) // EIO is its end
		out <- b
	}()
	err = cmd.Wait()
	text := bytes.ReplaceAll(<-out, []byte("\r\n"), []byte("\n"))
	ts.Stdout().Write(text)
	if got := ending(err); got != args[0] {
		ts.Fatalf("ended with %s, want %s", got, args[0])
	}
}

// cmdWaitFor is "waitfor FILE…": the files appear within a few seconds.
func cmdWaitFor(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		for end := time.Now().Add(box.Patience / 12); ; time.Sleep(10 * time.Millisecond) {
			if _, err := os.Stat(ts.MkAbs(name)); (err == nil) != neg {
				break
			}
			if time.Now().After(end) {
				ts.Fatalf("waited for %s in vain", name)
			}
		}
	}
}

// cmdSame is "same FILE FILE…": the files, or stdout, have the same bytes.
func cmdSame(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args[1:] {
		if (ts.ReadFile(name) == ts.ReadFile(args[0])) == neg {
			ts.Fatalf("%s and %s: same is %v", args[0], name, neg)
		}
	}
}
