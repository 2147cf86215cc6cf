package box

// What came of a run.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Result is how a program ended.
type Result struct {
	Code     int // exit code, or -1
	Signal   syscall.Signal
	Core     bool
	Pid      int
	Out, Err string
}

func (r Result) String() string {
	s := "exit code " + strconv.Itoa(r.Code)
	if r.Code < 0 {
		s = "signal " + r.Signal.String()
	}
	return fmt.Sprintf("%s\nstdout:\n%s\nstderr:\n%s", s, r.Out, r.Err)
}

// Want expects exit code 0 and, but for space around it, that text on stdout; what
// names the run.
func (r Result) Want(t testing.TB, what any, want string) {
	t.Helper()
	if r.Code != 0 || strings.TrimSpace(r.Out) != strings.TrimSpace(want) {
		t.Errorf("%q: %s\nwant stdout:\n%s", what, r, want)
	}
}

// Finish runs cmd to its end.
func Finish(t testing.TB, cmd *exec.Cmd) Result {
	t.Helper()
	Must(t, sourceRead())
	var out, errs bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &out
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &errs
	}
	err := cmd.Run()
	r := Ended(t, cmd, err)
	r.Out, r.Err = out.String(), errs.String()
	return r
}

// Ended tells how cmd ended, of which err is the result of Run or Wait.
func Ended(t testing.TB, cmd *exec.Cmd, err error) Result {
	t.Helper()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	ws := cmd.ProcessState.Sys().(syscall.WaitStatus)
	r := Result{Code: ws.ExitStatus(), Pid: cmd.Process.Pid}
	if ws.Signaled() {
		r.Signal, r.Core = ws.Signal(), ws.CoreDump()
	}
	return r
}

// Held runs cmd, a sandbox of u's with f as file descriptor 3, and calls meanwhile
// while it waits for its ids, by info fd 4 and userns block fd 5: u's own will be id
// in it. If meanwhile is nil, it should not come to that.
func (u User) Held(t testing.TB, cmd *exec.Cmd, f *os.File, id int, meanwhile func()) Result {
	t.Helper()
	info, infoW, err := os.Pipe()
	Must(t, err)
	defer info.Close()
	block, blockW, err := os.Pipe()
	Must(t, err)
	defer blockW.Close()
	var out, errs bytes.Buffer
	cmd.ExtraFiles = []*os.File{f, infoW, block}
	cmd.Stdout, cmd.Stderr = &out, &errs
	Must(t, cmd.Start())
	infoW.Close()
	block.Close()
	b, err := io.ReadAll(info)
	Must(t, err)
	if meanwhile != nil {
		var v struct {
			Pid int `json:"child-pid"`
		}
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatalf("%v: %q\n%s", err, b, &errs)
		}
		meanwhile()
		proc := fmt.Sprintf("/proc/%d/", v.Pid)
		gid := u.UID
		if os.Getuid() != 0 {
			gid = os.Getgid()
			Must(t, os.WriteFile(proc+"setgroups", []byte("deny"), 0))
		}
		Must(t, os.WriteFile(proc+"uid_map", fmt.Appendf(nil, "%d %d 1\n", id, u.UID), 0))
		Must(t, os.WriteFile(proc+"gid_map", fmt.Appendf(nil, "%d %d 1\n", id, gid), 0))
		blockW.WriteString("x")
	}
	blockW.Close()
	err = cmd.Wait()
	r := Ended(t, cmd, err)
	r.Out, r.Err = out.String(), errs.String()
	return r
}
