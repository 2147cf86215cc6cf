//go:build linux

package argvtest

// One run of one program, and what was seen of it.

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sbx/engine/enginetest/box"
)

// patience bounds every run; nothing is expected to take that long.
var patience = box.Patience / 4

// line is a command line and the state that it is run in. In strings @T is the
// fixture.
type line struct {
	name    string         // of the test; "": the words
	args    []string       // words before the command
	fds     map[int]string // inherited descriptors, see open
	command []string       // nil: the observer, at /observe, with its argument @C
	last    bool           // the observer is bound by the last words, not by the first
	bare    bool           // it is not bound at all
	root    bool           // only root can prepare it
	exit    int            // the observer's exit code
	signal  int            // or what it ends itself by
	noProc  bool           // the observer does not get the host's /proc
	tty     bool           // a terminal on descriptors 0 to 2

	env           []string // added to the environment
	dir           string   // working directory; "": @T/cwd
	umask         int      // 0: 022
	ignore, block []int    // signals
	core          *uint64  // RLIMIT_CORE
	mounts        []mount  // mounts of the caller's, if root makes them
	dirs          []string // made after those
	drop          []int    // capabilities the caller does not have
	userns        bool     // in a user namespace, with all ids mapped and all capabilities
}

type mount struct {
	Source, Target, Type string
	Flags                uintptr
	Data                 string
}

// program is one that is tested, or the peer it is tested against.
type program struct {
	argv   []string // what starts it
	binder []string // words that bind the observer
}

// environment is the caller's.
var environment = []string{"PATH=/usr/bin:/bin", "HOME=/nowhere", "LANG=C.UTF-8", "FOO=bar", "EMPTY=", "MULTI=a\nb"}

// place replaces @T.
func place(top string, words []string) []string {
	out := slices.Clone(words)
	for i := range out {
		out[i] = strings.ReplaceAll(out[i], "@T", top)
	}
	return out
}

// words are the words that p is run with.
func (l *line) words(p program, top, config string) []string {
	bind := append(slices.Clone(p.binder), observer, "/observe")
	if l.bare {
		bind = nil
	}
	command := place(top, l.command)
	if l.command == nil {
		command = []string{"/observe", "@C"}
	}
	if i := slices.Index(command, "@C"); i >= 0 {
		command[i] = config
	}
	args := place(top, l.args)
	if l.last {
		return slices.Concat(p.argv, args, bind, command)
	}
	return slices.Concat(p.argv, bind, args, command)
}

// observation is what was seen of a run: a value each for a number of keys.
type observation map[string]string

// run runs p in a fixture that nobody has changed.
func (l *line) run(t testing.TB, p program, s *site) observation {
	t.Helper()
	before := s.prepare(t)
	w, top := s.w, s.top

	type scene struct {
		Keep          string
		Mounts        []mount
		Dirs          []string
		Umask         int
		Dir           string
		UID, GID      int
		Groups        []int
		Ignore, Block []int
		Core          *uint64
		Drop          []int
		Env           []string
		Path          string
	}
	sc := scene{Umask: l.umask, Dir: top + "/cwd", UID: -1, Ignore: l.ignore, Block: l.block, Core: l.core, Drop: l.drop, Path: p.argv[0]}
	if sc.Umask == 0 {
		sc.Umask = 0o022
	}
	if l.dir != "" {
		sc.Dir = place(top, []string{l.dir})[0]
	}
	if os.Getuid() == 0 {
		sc.Keep = filepath.Dir(top)
		sc.UID, sc.GID, sc.Groups = w.uid, w.gid, w.groups
	}
	sc.Env = place(top, append(slices.Clone(environment), l.env...))
	sc.Dirs = place(top, l.dirs)
	for _, m := range l.mounts {
		m.Source, m.Target = place(top, []string{m.Source})[0], place(top, []string{m.Target})[0]
		sc.Mounts = append(sc.Mounts, m)
	}
	js, err := json.Marshal(sc)
	box.Must(t, err)

	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, observer, append([]string{"stage", string(js)}, l.words(p, top, l.config(t, top))...)...)
	cmd.Env = []string{}
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if l.userns {
		ids := []syscall.SysProcIDMap{{Size: 1 << 16}}
		cmd.SysProcAttr.Cloneflags, cmd.SysProcAttr.UidMappings, cmd.SysProcAttr.GidMappings = syscall.CLONE_NEWUSER, ids, ids
		cmd.SysProcAttr.GidMappingsEnableSetgroups = true
	}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	var master, slave *os.File
	if l.tty {
		master, slave = box.Pty(t)
		defer master.Close()
		cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	}

	fds := newDescriptors(t, w, top)
	defer fds.close()
	for fd, what := range l.fds {
		fds.open(fd, what)
	}
	if !l.noProc {
		fds.add(3, must2(os.Open("/proc")))
	}
	cmd.ExtraFiles = fds.files()
	box.Must(t, cmd.Start())
	if l.tty {
		slave.Close()
		out.ReadFrom(master) // EIO is its end
	}
	fds.started()
	err = cmd.Wait()
	unix.Kill(-cmd.Process.Pid, unix.SIGKILL) // what a failure has left
	if ctx.Err() != nil || err == exec.ErrWaitDelay {
		t.Errorf("%q does not end: %q", p.argv, l.args)
		err = nil
	}
	if _, ok := err.(*exec.ExitError); err != nil && !ok {
		t.Fatal(err)
	}
	ws := cmd.ProcessState.Sys().(syscall.WaitStatus)

	o := observation{}
	switch {
	case ws.Signaled():
		o["exit"] = fmt.Sprintf("signal %d, core %t", ws.Signal(), ws.CoreDump())
	default:
		o["exit"] = strconv.Itoa(ws.ExitStatus())
	}
	stdout := out.String()
	if i := strings.LastIndex(stdout, `{"argv":`); i >= 0 {
		if err := json.Unmarshal([]byte(stdout[i:]), (*map[string]string)(&o)); err != nil {
			t.Fatalf("%v\n%s", err, stdout)
		}
		stdout = stdout[:i]
		o[""] = "observed"
	}
	o["stdout"] = fmt.Sprintf("%t", stdout != "")
	o["stderr"] = fmt.Sprintf("%t", errs.Len() > 0)
	o[noteKey] = errs.String() + stdout
	for fd, text := range fds.collect() {
		o[fmt.Sprintf("written to %d", fd)] = text
	}
	o.normalise(cmd.Process.Pid)
	if l.noProc && o["namespace pid"] != "new" {
		delete(o, "pid")
		delete(o, "ppid")
	}
	for _, what := range l.fds {
		if what == "pidns:" && o["pid"] != "1" { // how many were in it before?
			o["pid"], o["ppid"] = "some", "some"
		}
	}
	s.changes(before, func(name, what string) { o["host "+name] = what })
	return o
}

// noteKey is the key of what is shown and not compared.
const noteKey = "(note)"

func must2[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// config is the observer's argument.
func (l *line) config(t testing.TB, top string) string {
	t.Helper()
	var c struct {
		Stop, Chain, HostMounts []string
		Exit, Signal            int
	}
	c.Exit, c.Signal = l.exit, l.signal
	id := func(name string) string {
		var st unix.Stat_t
		if unix.Lstat(name, &st) != nil {
			return ""
		}
		return fmt.Sprintf("%d:%d", st.Dev, st.Ino)
	}
	list, err := os.ReadDir("/")
	box.Must(t, err)
	for _, e := range list {
		if name := "/" + e.Name(); e.IsDir() && name != top && !strings.HasPrefix(top, name+"/") {
			c.Stop = append(c.Stop, id(name))
		}
	}
	c.Chain = append(c.Chain, id(top))
	for dir := filepath.Dir(top); dir != "/"; dir = filepath.Dir(dir) {
		c.Chain = append(c.Chain, id(dir))
	}
	for _, m := range hostMounts() {
		c.HostMounts = append(c.HostMounts, m[4])
	}
	b, err := json.Marshal(c)
	box.Must(t, err)
	return string(b)
}

// hostMounts are the fields of this process's mountinfo.
var hostMounts = sync.OnceValue(func() (list [][]string) {
	for l := range strings.Lines(string(must2(os.ReadFile("/proc/self/mountinfo")))) {
		list = append(list, strings.Fields(l))
	}
	return list
})

// hostNamespaces are this process's.
var hostNamespaces = sync.OnceValue(func() []string {
	var list []string
	for _, e := range must2(os.ReadDir("/proc/self/ns")) {
		list = append(list, must2(os.Readlink("/proc/self/ns/"+e.Name())))
	}
	return list
})

// terminals are numbered as they are opened.
var terminals = regexp.MustCompile(`\b136:\d+`)

var numbers = regexp.MustCompile(`\d+`)

// childPids can be any number.
var childPids = regexp.MustCompile(`"child-pid": *\d+`)

// normalise replaces what differs from run to run by what it means.
func (o observation) normalise(started int) {
	means := map[string]string{strconv.Itoa(started): "STARTED"}
	for key, value := range o {
		kind, ok := strings.CutPrefix(key, "namespace ")
		if !ok || strings.HasPrefix(kind, "owner") {
			continue
		}
		if n := numbers.FindString(value); n != "" {
			means[n] = strings.ToUpper(kind)
			if means[n] == "PID_FOR_CHILDREN" {
				means[n] = "PID"
			}
		}
		if slices.Contains(hostNamespaces(), value) {
			o[key] = "the host's"
		} else if n := numbers.FindString(value); n != "" {
			o[key] = "new"
		}
	}
	if o[""] != "" {
		o["environment"] = strings.ReplaceAll(o["environment"], `"LISTEN_PID=`+o["pid"]+`"`, `"LISTEN_PID=(the command's)"`)
	}
	if host := o["host pid"]; host != "" {
		if o["pid"] == host {
			o["pid"] = "the host's"
		}
		if o["ppid"] == o["host ppid"] {
			o["ppid"] = "the host's"
		}
		relation := "a descendant of what was started"
		switch strconv.Itoa(started) {
		case host:
			relation = "what was started"
		case o["host ppid"]:
			relation = "a child of what was started"
		}
		means[o["host ppid"]] = "PARENT"
		means[host] = "COMMAND"
		o["process"] = relation
		delete(o, "host pid")
		delete(o, "host ppid")
	}
	for key, value := range o {
		switch {
		case strings.HasPrefix(key, "tree "), strings.HasPrefix(key, "fd "):
			o[key] = terminals.ReplaceAllString(value, "136:N")
		case strings.HasPrefix(key, "mount "):
			o[key] = normalMount(value)
		case strings.HasPrefix(key, "written to "):
			mean := func(n string) string {
				if m := means[n]; m != "" {
					return m
				}
				return "N"
			}
			value = childPids.ReplaceAllStringFunc(value, func(s string) string { return numbers.ReplaceAllStringFunc(s, mean) })
			o[key] = numbers.ReplaceAllStringFunc(value, func(n string) string {
				if means[n] == "" && len(n) < 4 {
					return n // not a namespace
				}
				return mean(n)
			})
		}
	}
}

// normalMount takes the place in a file system from mounts of those that were made
// for the sandbox.
func normalMount(s string) string {
	f := strings.SplitN(s, " ", 7)
	dev, root, options, propagation, typ, source, super := f[0], f[1], f[2], f[3], f[4], f[5], f[6]
	shared := slices.ContainsFunc(hostMounts(), func(m []string) bool { return m[2] == dev })
	switch {
	case typ == "devpts" && shared && root != "/":
		root = "/N"
	case typ == "tmpfs" && !shared && source != "argvtest":
		root = "*"
	case typ == "overlay" && !shared:
		opts := slices.DeleteFunc(strings.Split(super, ","), func(o string) bool {
			return strings.HasPrefix(o, "lowerdir") || strings.HasPrefix(o, "upperdir") || strings.HasPrefix(o, "workdir")
		})
		slices.Sort(opts)
		super = strings.Join(opts, ",")
	}
	return fmt.Sprintf("%s %s %s %s root=%s source=%s super=%s", typ, options, propagation, map[bool]string{true: "host's", false: "new"}[shared], root, source, super)
}
