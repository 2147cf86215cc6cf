//go:build linux

// Observer is what the differential test runs in a sandbox: it prints, as one
// JSON object of strings, what a command there can see of it. With "stage" it is
// what starts the program under test: in a state that the test describes.
//
// It is linked with -E main.entry, to see the state in which it was started before
// the Go runtime changes that.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// config is the observer's argument.
type config struct {
	Stop       []string // directories of the host, "dev:inode", that are not looked into
	Chain      []string // and those that lead to the test's files, with these
	HostMounts []string // where the host has mounts
	Exit       int      // exit code
	Signal     int      // signal to end by, or 0
}

// seen is what is known about the sandbox.
var seen = map[string]string{}

func see(key, format string, args ...any) { seen[key] = fmt.Sprintf(format, args...) }

// errno is the short name of an error: "ENOENT"; "ok" for nil.
func errno(err error) string {
	switch e := err.(type) {
	case nil:
		return "ok"
	case syscall.Errno:
		return unix.ErrnoName(e)
	}
	return err.Error()
}

func main() {
	runtime.LockOSThread()
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "stage":
			fail(stage(os.Args[2], os.Args[3:]))
		case "hold":
			fail(hold())
		}
	}
	var c config
	if len(os.Args) > 1 {
		if err := json.Unmarshal([]byte(os.Args[1]), &c); err != nil {
			fail(err)
		}
	}
	see("argv", "%q", strings.Join(append(os.Args[:1:1], os.Args[min(2, len(os.Args)):]...), " "))
	process()
	namespaces()
	descriptors()
	mounts()
	walk("/", &c)
	probes()
	out, err := json.Marshal(seen)
	if err != nil {
		fail(err)
	}
	for out = append(out, '\n'); len(out) > 0; {
		n, err := unix.Write(1, out)
		if err != nil && err != unix.EINTR && err != unix.EAGAIN {
			fail(err)
		}
		out = out[max(n, 0):]
	}
	if c.Signal != 0 {
		unix.Kill(os.Getpid(), unix.Signal(c.Signal))
	}
	os.Exit(c.Exit)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "observer:", err)
	os.Exit(99)
}
