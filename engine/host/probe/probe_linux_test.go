package probe

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sbx/engine/enginetest/box"
)

// since is the first kernel that has a feature, as major*1000+minor. Only the tests
// look at the release: to know what the probes should find.
var since = map[string]int{
	"user-namespaces": 3008, "id-maps": 3008, "max-user-namespaces": 4009, "capabilities": 0,
	"mount-api": 5012, "mount-max": 4009, "openat2": 5006, "overlay": 5011, "lowerdir+": 6007, "tmpfs-xattr": 6006,
	"seccomp": 3017, "landlock": 6012, "pid-namespace": 3008, "proc-mount": 5002, "net-namespace": 3008,
	"ipc-namespace": 5002, "uts-namespace": 3008, "cgroup-namespace": 4006, "time-namespace": 5006,
	"pidfd": 5004, "close_range": 5011, "proc-children": 4002,
}

// configured is what a kernel of any release may be built without.
var configured = []string{"tmpfs-xattr", "landlock", "time-namespace", "proc-children", "overlay"}

func release(t *testing.T) int {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		t.Fatal(err)
	}
	var major, minor int
	if _, err := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &major, &minor); err != nil {
		t.Fatal(err)
	}
	return major*1000 + minor
}

// TestAll holds the probes against what this kernel must have, as the caller and
// as an ordinary user.
func TestAll(t *testing.T) {
	asNobody(t, "TestAll")
	f := newHost().facts()
	version := release(t)
	start := time.Now()
	results := All()
	t.Logf("%d probes in %v", len(results), time.Since(start))
	names := map[string]bool{}
	overlay := slices.ContainsFunc(results, func(r Result) bool { return r.Name == "overlay" && r.Status == OK })
	for _, r := range results {
		t.Run(r.Name, func(t *testing.T) {
			t.Logf("%v: %s", r.Status, r.Detail)
			if names[r.Name] {
				t.Error("two probes have this name")
			}
			names[r.Name] = true
			if r.Detail == "" || r.Why == "" || strings.ContainsAny(r.Why, "\n") {
				t.Errorf("incomplete: %+v", r)
			}
			if r.Status == OK && r.Mend != "" {
				t.Errorf("ok, and yet there is %q to mend", r.Mend)
			}
			first, listed := since[r.Name]
			switch {
			case r.Name == "subordinate-ids" || r.Name == "terminal-injection":
				return // below
			case !listed:
				t.Fatal("the test does not know this probe")
			case version < first || r.Status == OK:
				return
			case os.Getenv("SBX_MUST_WORK") != "":
			case f.seccompFilter || f.confined() || r.Name == "proc-mount" && f.maskedProc != nil, // a container
				r.Status == Unknown || strings.Contains(r.Name, "user-namespaces") || r.Name == "id-maps", // a setting
				slices.Contains(configured, r.Name), r.Name == "lowerdir+" && !overlay:
				t.Skipf("%v: %s", r.Status, r.Detail)
			}
			t.Errorf("Linux %d.%d has it, the probe says %v: %s", version/1000, version%1000, r.Status, r.Detail)
		})
	}
}

func TestRequired(t *testing.T) {
	privileged := newHost().privileged()
	if privileged {
		asNobody(t, "TestRequired")
	}
	for name, want := range map[string]bool{
		"user-namespaces": !privileged, "id-maps": !privileged, "mount-api": true, "openat2": true, "seccomp": true,
		"overlay": false, "terminal-injection": false,
	} {
		if r, ok := Run(name); !ok || r.Required != want || r.Name != name {
			t.Errorf("%s: %+v, required should be %v", name, r, want)
		}
	}
	if _, ok := Run("no-such-probe"); ok {
		t.Error("Run knows a probe that is none")
	}
}

// TestTerminalInjection compares what happens with what the sysctl promises.
func TestTerminalInjection(t *testing.T) {
	asNobody(t, "TestTerminalInjection")
	r, _ := Run("terminal-injection")
	want := Missing
	if sysctl("dev/tty/legacy_tiocsti") == 0 {
		want = OK
	}
	if r.Status == Unknown {
		box.Skip(t, r.Detail)
	}
	if r.Status != want {
		t.Errorf("%+v, want %v", r, want)
	}
}

func TestSubordinateIDs(t *testing.T) {
	if os.Getenv(droppedEnv) != "" {
		r, _ := Run("subordinate-ids")
		if !strings.Contains(r.Mend, "usermod --add-subuids") || r.Status != Missing {
			t.Errorf("a user without ranges: %+v", r)
		}
		return
	}
	r, _ := Run("subordinate-ids")
	t.Logf("%+v", r)
	if !newHost().privileged() {
		return // whether this user has ranges is not for a test to say
	}
	if r.Status != OK {
		t.Errorf("root: %+v", r)
	}
	_, end1 := subRanges(readText("/etc/subuid"), "nobody", 65534)
	_, end2 := subRanges(readText("/etc/subgid"), "nobody", 65534)
	if own, _ := subRanges(readText("/etc/subuid"), "nobody", 65534); own == nil {
		t.Logf("ranges end at %d and %d", end1, end2)
		asNobody(t, "TestSubordinateIDs")
	}
}

// TestSubordinateIDsOfOwner runs as a user who has ranges, where there is one.
func TestSubordinateIDsOfOwner(t *testing.T) {
	if os.Getenv(droppedEnv) != "" {
		if r, _ := Run("subordinate-ids"); r.Status != OK {
			t.Errorf("%+v", r)
		}
		return
	}
	if os.Geteuid() != 0 || lookPath("newuidmap") == "" || lookPath("newgidmap") == "" {
		t.Skip("needs root, to become another user, and newuidmap(1)")
	}
	for line := range strings.Lines(readText("/etc/passwd")) {
		f := strings.Split(line, ":")
		if len(f) < 4 {
			continue
		}
		uid, gid := number(f[2]), number(f[3])
		uids, _ := subRanges(readText("/etc/subuid"), f[0], uid)
		gids, _ := subRanges(readText("/etc/subgid"), f[0], uid)
		if uid <= 0 || gid < 0 || uids == nil || gids == nil {
			continue
		}
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestSubordinateIDsOfOwner$", "-test.v")
		cmd.Dir = "/"
		cmd.Env = environ(droppedEnv + "=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("as %s: %v\n%s", f[0], err, out)
		}
		return
	}
	t.Skip("no user of this host has subordinate ids")
}

// trace is what a probe could leave behind.
func trace(t *testing.T) string {
	t.Helper()
	var lines []string
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		target, _ := os.Readlink("/proc/self/fd/" + fd.Name())
		// Directories are the one being read; the others are the runtime's own.
		if !strings.HasPrefix(target, "/proc/") && !strings.HasPrefix(target, "anon_inode:") {
			lines = append(lines, fd.Name()+" "+target)
		}
	}
	tasks, _ := filepath.Glob("/proc/self/task/*/children")
	for _, name := range tasks {
		for pid := range strings.FieldsSeq(readText(name)) {
			lines = append(lines, "child "+pid)
		}
	}
	tmp, _ := filepath.Glob(filepath.Join(os.TempDir(), "*sbx*probe*"))
	host, _ := os.Hostname()
	dir, _ := os.Getwd()
	lines = append(lines, tmp...)
	return strings.Join(append(lines, host, dir, readText("/proc/self/mountinfo"), readText("/proc/self/cgroup"),
		statusField(readText("/proc/self/status"), "NoNewPrivs"), statusField(readText("/proc/self/status"), "Seccomp")), "\n")
}

func TestNothingLeft(t *testing.T) {
	asNobody(t, "TestNothingLeft")
	// Others may mount things meanwhile; what a probe leaves is there every time.
	var before, after string
	for range 20 {
		before = trace(t)
		All()
		if after = trace(t); after == before {
			return
		}
	}
	t.Errorf("before:\n%s\nafter:\n%s", before, after)
}

func TestConcurrent(t *testing.T) {
	var got [2][]Result
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() { got[i] = All() })
	}
	wg.Wait()
	if !slices.Equal(got[0], got[1]) {
		t.Errorf("%+v\n%+v", got[0], got[1])
	}
}

// TestChildMainAlone starts the child's command line without a probe behind it.
func TestChildMainAlone(t *testing.T) {
	pair := func(kind int, msg string) *os.File {
		fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		if msg != "" {
			if err := unix.Send(fds[0], []byte(msg), 0); err != nil {
				t.Fatal(err)
			}
		}
		t.Cleanup(func() { unix.Close(fds[0]) })
		return os.NewFile(uintptr(fds[1]), "socket")
	}
	const request = requestTag + "\x00" + actHello
	for name, stdin := range map[string]*os.File{
		"no input":         nil,
		"a silent socket":  pair(unix.SOCK_SEQPACKET, ""),
		"another protocol": pair(unix.SOCK_SEQPACKET, "GET / HTTP/1.1"),
		"a stream":         pair(unix.SOCK_STREAM, request),
	} {
		cmd := exec.Command("/proc/self/exe", childArg)
		cmd.Env = environ()
		if stdin != nil {
			cmd.Stdin = stdin
		}
		if out, err := cmd.Output(); err != nil || string(out) != "not a child" {
			t.Errorf("%s: %q, %v", name, out, err)
		}
	}
	// One process removed from the probe that made the socket.
	cmd := exec.Command("/bin/sh", "-c", "/proc/"+fmt.Sprint(os.Getpid())+"/exe "+childArg+"; exit $?")
	cmd.Env = environ()
	cmd.Stdin = pair(unix.SOCK_SEQPACKET, request)
	if out, err := cmd.Output(); err != nil || string(out) != "not a child" {
		t.Errorf("a grandchild: %q, %v", out, err)
	}
}

func TestProtocolErrors(t *testing.T) {
	if _, err := ask(0, callers, "no-such-action"); err == nil || !strings.Contains(err.Error(), `"no-such-action"`) {
		t.Errorf("unknown action: %v", err)
	}
	c, err := start(0, callers, actWait)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.recv(); err != nil {
		t.Error(err)
	}
	if err := unix.Kill(c.pid, unix.SIGKILL); err != nil {
		t.Error(err)
	}
	if _, err := c.recv(); err == nil || !strings.Contains(err.Error(), "ended early") {
		t.Errorf("a dead child: %v", err)
	}
	c.stop()

	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(p[0])
	defer unix.Close(p[1])
	if err := waitReadable(p[0], 20*time.Millisecond); err == nil || err.Error() != "no answer in 20ms" {
		t.Errorf("a silent child: %v", err)
	}
}

// TestFaultyProbe checks that a panic in a probe stays there.
func TestFaultyProbe(t *testing.T) {
	r := (*host)(nil).result(&feature{name: "user-namespaces", why: "w"})
	if r.Status != Unknown || !strings.HasPrefix(r.Detail, "the probe failed: runtime error") {
		t.Errorf("%+v", r)
	}
}

func TestJSON(t *testing.T) {
	b, err := json.Marshal([]Result{{Name: "n", Status: Missing, Detail: "d", Why: "w", Required: true}, {Status: Unknown, Mend: "m"}})
	want := `[{"name":"n","status":"missing","detail":"d","why":"w","required":true},` +
		`{"name":"","status":"unknown","detail":"","why":"","mend":"m","required":false}]`
	if err != nil || string(b) != want {
		t.Errorf("%s, %v", b, err)
	}
}

func BenchmarkAll(b *testing.B) {
	for b.Loop() {
		All()
	}
}
