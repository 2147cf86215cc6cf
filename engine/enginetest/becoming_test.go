//go:build linux

package enginetest

// An ordinary user's process becomes the command, in a user namespace that it
// enters after it has ended all its threads but the first.

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"sbx/engine/compile"
	"sbx/engine/enginetest/box"
	"sbx/engine/explain"
	"sbx/engine/host"
	"sbx/engine/plan"
	"sbx/engine/run"
	"sbx/engine/validate"
)

func init() {
	if len(os.Args) > 1 && os.Args[1] == "probe:becoming" {
		runtime.LockOSThread()
	}
	probes["becoming"] = becoming
}

// becoming runs the plan in a file in place of this process, which has a few
// threads more than usual.
func becoming(args []string) int {
	p, err := readPlan(args[0])
	if err != nil {
		return fail(err)
	}
	for range 5 {
		ready := make(chan bool)
		go func() {
			runtime.LockOSThread()
			ready <- true
			time.Sleep(time.Hour)
		}()
		<-ready
	}
	f := host.Live(p)
	l, ds := validate.Check(p, f)
	if ds.HasErrors() {
		return fail(ds)
	}
	prog, err := compile.Compile(p, l, f, compile.Options{Become: true})
	if err != nil {
		return fail(err)
	}
	_, err = run.Run(prog)
	d, code := explain.Failure(prog, f, err)
	fmt.Fprintln(os.Stderr, d.Error())
	return code
}

func TestBecoming(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		p := scriptPlan(t, w, base()+"die_with_parent(False)\nunshare(net = True, ipc = True)\nbecome_root()\n")
		begin := func(p plan.Plan, command ...plan.Str) *exec.Cmd {
			p.Command = command
			return w.Command(t, probeBin, "probe:becoming", w.planFile(t, &p))
		}
		for range 20 {
			r := box.Finish(t, begin(*p, "sh", "-c", "echo $$; cat /proc/sys/net/ipv4/ip_forward; id -u; ls /proc/self/fd | wc -l; ls /proc/self/task | wc -l; kill -QUIT $$"))
			// The process is the command: its pid, and its end by a signal.
			if want := itoa(r.Pid) + "\n0\n0\n4\n1\n"; r.Out != want || r.Signal != syscall.SIGQUIT || r.Err != "" {
				t.Fatalf("got %q, want %q; %s", r.Out, want, r)
			}
		}
		// What fails on the way is told all the same.
		for range 20 {
			if r := box.Finish(t, begin(*p, "/nowhere/x")); r.Code != 127 || !strings.Contains(r.Err, `command "/nowhere/x" not found in the sandbox`) {
				t.Fatal(r)
			}
		}
	})
}
