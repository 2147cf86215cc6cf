// Package bwrap reads and prints the command lines of bubblewrap, bwrap(1).
//
// Parse takes every option of that program up to version 0.11 and gives the plan
// of the sandbox that it stands for; Print is the way back. Both are pure: what
// comes through file descriptors is read by a function of the caller's.
package bwrap

import (
	"strconv"
	"strings"

	"sbx/engine/plan"
)

// File is the name of the command line in positions: the line of a position is
// the number of a word of it, counted from 1, those of --args in their place.
const File = "bwrap"

// Options are what Parse needs beside the words.
type Options struct {
	// Dir is the directory that relative sources are relative to. Without it they
	// do not exist, as in a working directory that has been removed.
	Dir string
	// Read returns all that can be read from a file descriptor, and closes it.
	Read func(fd int) ([]byte, error)
}

// Line is a command line, read.
type Line struct {
	Plan  *plan.Plan
	Words []string // all, those that --args names in the place of that option

	// What to do instead of or beside running the plan.
	Help, Version bool
	LevelPrefix   bool     // messages begin with their priority, <3>
	Warnings      []string // they come first
	ExecLabel     string   // of SELinux, for the command
	FileLabel     string   // the same, for files of the sandbox's own

	seccompFD *int // of --seccomp, which counts once
}

// Error is a command line that makes no sense. Word is the number of a word,
// counted from 1, or 0.
type Error struct {
	Word  int
	Msg   string
	Usage bool // there is nothing to do: the usage says what there could be
}

func (e *Error) Error() string { return e.Msg }

// maxWords bounds a command line, as bubblewrap does.
const maxWords = 9000

// New returns the plan of the empty command line, but for the command.
func New() *plan.Plan {
	p := plan.New()
	p.Order = plan.OrderGiven
	p.Propagation = plan.PropagationSlave
	p.PointMode = plan.ModePtr(0o444)
	p.Caps.Set = "caller"
	p.DieWithParent = false
	p.Lifetime = plan.LifetimeCommand
	p.KeepFDs = true
	p.TerminalInput = true
	p.TryDir = true
	p.PWD = plan.PWDSet
	p.DefaultPath = "/bin:/usr/bin"
	p.ShellScripts = true
	return p
}

// Parse reads the words that follow the program's name. The line is what has been
// read so far where there is an error. Options end at the first word that does not
// begin with "-", or at "--"; the rest is the command.
func Parse(args []string, o Options) (line *Line, err error) {
	r := &reader{args: args, opt: o, line: &Line{Plan: New()}, p: nil, perms: -1, capsBase: "caller"}
	r.p = r.line.Plan
	defer func() {
		switch e := recover().(type) {
		case nil:
		case *Error:
			line, err = r.line, e
		default:
			panic(e)
		}
	}()
	if len(args) == 0 {
		return r.line, &Error{Usage: true}
	}
	r.total = len(args)
	r.p.Ops = make([]plan.Op, 0, len(args)/3+1) // most take three words; each growth would be on new pages
	r.line.Words = make([]string, 0, len(args))
	r.options()
	if r.line.Help || r.line.Version {
		return r.line, nil
	}
	r.consistent()
	for _, a := range r.args {
		r.p.Command = append(r.p.Command, plan.Str(a))
		r.line.Words = append(r.line.Words, a)
	}
	if len(r.p.Command) == 0 {
		return r.line, &Error{Usage: true}
	}
	r.p.SetWhere("command", at(len(r.line.Words)-len(r.p.Command)+1))
	r.finish()
	return r.line, nil
}

type reader struct {
	args   []string // that are to come
	total  int
	inFile bool
	opt    Options
	line   *Line
	p      *plan.Plan

	word    int // number of the option
	name    string
	perms   int // of --perms, or -1
	size    uint64
	sources []plan.Str // of --overlay-src

	capsBase  string // "caller", "none" or "all"
	add, drop uint64 // beside that
	uid, gid  bool   // whether given
	hostname  bool
	asPID1    bool
	userBlock bool
}

// at is the position of a word.
func at(word int) plan.Origin {
	return plan.Origin{Pos: plan.Pos{File: File, Line: int32(word), Col: 1}}
}

// die ends the reading.
func (r *reader) die(msg string) { panic(&Error{Word: r.word, Msg: msg}) }

// take returns the n arguments of the option.
func (r *reader) take(n int, missing string) []string {
	if len(r.args) < n {
		r.die(missing)
	}
	a := r.args[:n]
	r.args = r.args[n:]
	r.line.Words = append(r.line.Words, a...)
	return a
}

var counted = [...]string{"", "an argument", "two arguments", "three arguments"}

// values takes n arguments, with the usual message where they are missing.
func (r *reader) values(n int) []string { return r.take(n, r.name+" takes "+counted[n]) }

// number reads what strtol(3) reads as a whole, not below 0.
func (r *reader) number(s, what string) int {
	t := strings.TrimLeft(s, " \t\n\v\f\r")
	n, err := strconv.ParseInt(t, 10, 64)
	if err != nil || n < 0 || n > 1<<31-1 {
		r.die("Invalid " + what + ": " + s)
	}
	return int(n)
}

func (r *reader) fd(s string) int { return r.number(s, "fd") }

// once warns where an option that counts once is repeated.
func (r *reader) once(again bool) {
	if again {
		r.line.Warnings = append(r.line.Warnings, "Only the last "+r.name+" option will take effect")
	}
}

// setFD takes a file descriptor for a setting.
func (r *reader) setFD(to **int) {
	v := r.values(1)[0]
	r.once(*to != nil)
	*to = plan.IntPtr(r.fd(v))
	r.p.SetWhere("hooks", at(r.word))
}

func (r *reader) read(fd int, failed string) []byte {
	b, err := r.opt.Read(fd)
	if err != nil {
		r.die(failed + ": " + err.Error())
	}
	return b
}

// leadsNowhere reports whether a path cannot be followed from anywhere.
func (r *reader) leadsNowhere(s string) bool {
	return s == "" || s[0] != '/' && r.opt.Dir == ""
}

// source makes a path of the host absolute.
func (r *reader) source(s string) plan.Str {
	if r.leadsNowhere(s) {
		panic(&Error{Word: r.word, Msg: "Can't find source path " + s + ": No such file or directory"})
	}
	if s[0] != '/' {
		s = strings.TrimSuffix(r.opt.Dir, "/") + "/" + s
	}
	return plan.Str(s)
}

// op adds an operation. All of them make what they need.
func (r *reader) op(o plan.Op, dst string) *plan.Op {
	o.Dst = plan.Str("/" + strings.TrimLeft(dst, "/"))
	o.At = at(r.word)
	if o.Kind != plan.Chmod && o.Kind != plan.RemountRO {
		o.Create, o.ParentMode = true, parentMode(o.Dst, max(r.perms, 0))
	}
	r.p.Ops = append(r.p.Ops, o)
	return &r.p.Ops[len(r.p.Ops)-1]
}

// parentMode is the mode of directories made on the way to dst: those that may not
// use a thing of mode perms may not enter them either. That goes for bubblewrap's
// operations that have no mode as if they had 0.
func parentMode(dst plan.Str, perms int) *plan.Mode {
	if strings.LastIndexByte(string(dst), '/') == 0 {
		return nil // there are none
	}
	m := plan.Mode(0o755)
	if perms&0o070 == 0 {
		m &^= 0o050
	}
	if perms&0o007 == 0 {
		m &^= 0o005
	}
	return &m
}

// mode takes what --perms said, or else the usual.
func (r *reader) mode(usual plan.Mode) *plan.Mode {
	if r.perms >= 0 {
		usual = plan.Mode(r.perms)
	} else {
		r.perms = int(usual) // which counts for the parents as well
	}
	return &usual
}

func (r *reader) octal(s string) int {
	t := strings.TrimLeft(s, " \t\n\v\f\r")
	n, err := strconv.ParseUint(strings.TrimPrefix(t, "+"), 8, 64)
	if err != nil || n > 0o7777 {
		r.die(r.name + " takes an octal argument <= 07777")
	}
	return int(n)
}

func boolPtr(b bool) *bool { return &b }

// options reads options up to the command.
func (r *reader) options() {
	for len(r.args) > 0 {
		if r.total > maxWords {
			r.die("Exceeded maximum number of arguments " + strconv.Itoa(maxWords))
		}
		arg := r.args[0]
		if arg == "--" {
			r.args = r.args[1:]
			r.line.Words = append(r.line.Words, arg)
			break
		}
		if arg == "" || arg[0] != '-' {
			break
		}
		r.args = r.args[1:]
		r.line.Words = append(r.line.Words, arg)
		r.word, r.name = len(r.line.Words), arg
		if !r.setting(arg) && !r.operation(arg) {
			r.die("Unknown option " + arg)
		}
		if r.line.Help || r.line.Version {
			return
		}
		if arg == "--perms" || arg == "--size" {
			continue
		}
		switch {
		case r.perms >= 0:
			r.die("--perms must be followed by an option that creates a file")
		case r.size != 0:
			r.die("--size must be followed by --tmpfs")
		case arg != "--overlay-src" && len(r.sources) > 0:
			r.die(loneSource)
		}
	}
	if !r.inFile && len(r.sources) > 0 {
		r.die(loneSource)
	}
}

const loneSource = "--overlay-src must be followed by another --overlay-src or one of --overlay, --tmp-overlay, or --ro-overlay"

// fromFile reads the options of --args.
func (r *reader) fromFile() {
	if r.inFile {
		r.die("--args not supported in arguments file")
	}
	fd := r.fd(r.values(1)[0])
	r.line.Words = r.line.Words[:len(r.line.Words)-2]
	data := string(r.read(fd, "Can't read --args data"))
	rest, sub := r.args, []string{}
	for data != "" {
		word, more, _ := strings.Cut(data, "\x00")
		sub, data = append(sub, word), more
	}
	r.total += len(sub)
	r.args, r.inFile = sub, true
	name := r.name
	r.options() // what it leaves, a command, does not count
	r.args, r.inFile, r.name = rest, false, name
}

// consistent checks the options against each other.
func (r *reader) consistent() {
	p := r.p
	r.word = 0
	switch user := p.Unshare.User; {
	case r.userBlock && !user:
		r.die("--userns-block-fd requires --unshare-user")
	case r.userBlock && p.Hooks.Info == nil:
		r.die("--userns-block-fd requires --info-fd")
	case p.Join.User != nil && user:
		r.die("--userns not compatible --unshare-user")
	case p.Join.User != nil && p.Unshare.UserTry:
		r.die("--userns not compatible --unshare-user-try")
	case p.NoUserNS && !user:
		r.die("--disable-userns requires --unshare-user")
	case p.NoUserNS && r.userBlock:
		r.die("--disable-userns is not compatible with  --userns-block-fd")
	}
}

// finish checks what bubblewrap checks once it has a command, and sets what
// depends on several options.
func (r *reader) finish() {
	p := r.p
	switch {
	case r.hostname && !p.Unshare.UTS:
		r.die("Specifying --hostname requires --unshare-uts")
	case r.asPID1 && !p.Unshare.PID:
		r.die("Specifying --as-pid-1 requires --unshare-pid")
	case r.asPID1 && p.Hooks.Locks != nil:
		r.die("Specifying --as-pid-1 and --lock-file is not permitted")
	}
	p.Init = !r.asPID1
	if fd := r.line.seccompFD; fd != nil {
		r.filter(*fd, p.Where["seccomp"].Pos.Line)
		delete(p.Where, "seccomp")
	}
	r.caps()
}

// Check returns what is wrong with the line for a caller who is root, or not.
func (l *Line) Check(uid, gid uint32) error {
	p := l.Plan
	if uid != 0 || p.Unshare.User || p.Unshare.UserTry || p.Join.User != nil {
		return nil
	}
	if v := p.Identity.UID; v != nil && *v != uid {
		return &Error{Word: int(p.Where["map_user"].Pos.Line), Msg: "Specifying --uid requires --unshare-user or --userns"}
	}
	if v := p.Identity.GID; v != nil && *v != gid {
		return &Error{Word: int(p.Where["map_user"].Pos.Line), Msg: "Specifying --gid requires --unshare-user or --userns"}
	}
	return nil
}

// filter reads a seccomp filter.
func (r *reader) filter(fd int, word int32) {
	code := r.read(fd, "Can't read seccomp data")
	if len(code)%8 != 0 {
		r.die("Invalid seccomp data, must be multiple of 8")
	}
	r.p.Filters = append(r.p.Filters, plan.Filter{Code: plan.Str(code), At: at(int(word))})
}

// cap notes a --cap-add or --cap-drop.
func (r *reader) cap(drop bool) {
	name := strings.ToUpper(r.values(1)[0])
	r.p.SetWhere("capabilities", at(r.word))
	if name == "ALL" {
		r.add, r.drop, r.capsBase = 0, 0, "all"
		if drop {
			r.capsBase = "none"
		}
		return
	}
	n := capNumber(name)
	switch {
	case n < 0:
		r.die("unknown cap: " + r.line.Words[len(r.line.Words)-1])
	case n >= len(plan.CapNames):
		return // there is none to have
	}
	r.add &^= 1 << n
	r.drop &^= 1 << n
	if drop {
		r.drop |= 1 << n
	} else {
		r.add |= 1 << n
	}
}

// capNumber returns the number of a capability that is named, or given as libcap
// reads it: decimal, or octal after 0, or hexadecimal after 0X, and below 64; or -1.
func capNumber(name string) int {
	if name == "" || name[0] < '0' || name[0] > '9' {
		return plan.CapNumber(name)
	}
	base := 10
	if digits, ok := strings.CutPrefix(name, "0X"); ok {
		name, base = digits, 16
	} else if name[0] == '0' {
		base = 8
	}
	n, err := strconv.ParseUint(name, base, 64)
	if err != nil || n >= 64 {
		return -1
	}
	return int(n)
}

// caps settles the capabilities.
func (r *reader) caps() {
	c := &r.p.Caps
	set := r.add
	switch r.capsBase {
	case "caller":
		c.Add, c.Drop = capNames(r.add), capNames(r.drop)
		return
	case "all":
		if set = plan.AllCaps &^ r.drop; r.drop == 0 {
			c.Set = "all"
			return
		}
	}
	c.Set = "keep"
	if c.Keep = capNames(set); c.Keep == nil {
		c.Set = "none"
	}
}

func capNames(set uint64) []string {
	var list []string
	for i, name := range plan.CapNames {
		if set&(1<<i) != 0 {
			list = append(list, name)
		}
	}
	return list
}
