// Package project works out the sandbox of `sbx run`: one project, the user's and
// the project's configuration files, the command line, and whether the project's
// file may count.
//
// It evaluates and compares; it makes nothing, and writes only the trust store.
package project

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sbx/engine/plan"
	"sbx/starlark/eval"
)

// FileName is the name of a project's own configuration file.
const FileName = ".sbx.star"

// defaultMarker marks directories that are homes, not projects.
const defaultMarker = ".profile"

// Value is one setting: an operand of the command line, or of project().
type Value struct {
	Text string
	At   plan.Origin
	op   string // "project", where that is
}

// Options say which sandbox is wanted. Lists that are nil were not given.
type Options struct {
	Dir   string      // the project; "": the working directory
	DirAt plan.Origin // where that is named

	AllowSettings  []Value
	ExtraDataPaths []Value
	ExcludedPaths  []Value
	RefuseIfExists []Value
	PassEnv        []Value
	Command        []string

	ConfigFile          *Value // in place of the project's own file, and trusted
	IgnoreProjectConfig bool

	// Trust evaluates the project's file whether it is trusted or not.
	Trust bool

	TrustCommand string // for hints; "": sbx trust

	Eval eval.Options // Lib, LibNear, Host, limits, Print, Abort, Sources
}

// State says what became of a configuration file.
type State uint8

// The states of a configuration file.
const (
	Absent    State = iota
	Own             // the user's, or named on the command line
	Trusted         // by sbx trust
	InTrusted       // in a directory that is always trusted
	Tightens        // it opens nothing, so it needs no trust
	Untrusted       // it did not count
	Ignored         // by --ignore-project-config
)

// Result is the sandbox that was worked out.
type Result struct {
	Plan *plan.Plan
	Dir  string // the project, canonical

	UserFile    string // path of the user's file
	User        State
	ProjectFile string // path of the project's file, or of that named instead
	Project     State

	Files   *Closure   // what the project's file is made of, where there is one
	Without *plan.Plan // with Options.Trust: the plan without the project's file
	Dropped []string   // variables that do not enter, sorted

	// Adds is what the project's file adds to the sandbox, and Uses are the settings
	// templates it calls.
	Adds []Addition
	Uses []eval.TemplateUse
	// New and Lost, with Options.Trust, are the additions that were not there when
	// the file was trusted before, and those that are missed.
	New, Lost []Addition

	// Seen, where not nil, is to be noted in the trust store before the sandbox begins.
	Seen *Seen

	looked int // of the plan's inputs those of the defaults
}

// Inputs returns what the configuration files looked at.
func (r *Result) Inputs() []plan.Input { return r.Plan.Inputs[r.looked:] }

// Places are the directories that sbx run depends on.
type Places struct {
	Home   string // "": there is none
	Passwd string // the home by passwd(5), where HOME is another
	Config string // sbx's own, in $XDG_CONFIG_HOME
	State  string // sbx's own, in $XDG_STATE_HOME
	// Sessions are where the sockets of sessions are, or may be.
	Sessions []string
}

// FindPlaces finds them by the environment and the user's line of passwd(5), but
// for those of sessions, which package session knows.
func FindPlaces(sessions []string) Places {
	p := Places{Home: os.Getenv("HOME"), Sessions: sessions}
	usable := func(dir string) bool { return filepath.IsAbs(dir) && filepath.Clean(dir) != "/" }
	if p.Passwd = passwdHome(os.Getuid()); !usable(p.Passwd) {
		p.Passwd = ""
	}
	if !usable(p.Home) {
		p.Home = p.Passwd
	}
	if p.Home != "" {
		p.Home = filepath.Clean(p.Home)
	}
	xdg := func(name, below string) string {
		// XDG Base Directory Specification: a relative path is to be ignored.
		if dir := os.Getenv(name); filepath.IsAbs(dir) {
			return filepath.Join(dir, "sbx")
		}
		if p.Home == "" {
			return ""
		}
		return filepath.Join(p.Home, below, "sbx")
	}
	p.Config, p.State = xdg("XDG_CONFIG_HOME", ".config"), xdg("XDG_STATE_HOME", ".local/state")
	return p
}

// run is one evaluation.
type run struct {
	o *Options
	Places
	Result

	userModules []string // what the user's file loads
	userCalls   int      // how often it calls project()
	trusting    bool     // the user's file names directories that are always trusted
	trustedDirs []string // canonical, of those that exist
	trustedTop  string   // the trusted directory that the project lies in, or ""
}

// Evaluate works out the sandbox. The error is a plan.Diagnostics with all that
// is wrong.
func Evaluate(o *Options, places Places) (*Result, error) {
	r := &run{o: o, Places: places}
	if err := r.find(); err != nil {
		if ds, ok := err.(plan.Diagnostics); ok && o.Dir != "" {
			for i := range ds {
				ds[i].At = o.DirAt
			}
		}
		return nil, err
	}
	if err := r.evaluate(); err != nil {
		return nil, err
	}
	return &r.Result, nil
}

// find finds the project's directory.
func (r *run) find() error {
	dir := r.o.Dir
	if dir == "" {
		var err error
		if dir, err = os.Getwd(); err != nil {
			return fault("", "the working directory cannot be told: %v", errno(err))
		}
	}
	dir, err := filepath.Abs(dir)
	if err == nil {
		// Resolved once: another sandbox may be at work above, and what counts is what has
		// been looked at.
		real, top := r.strays(dir, true)
		if top != "" {
			return fault(fmt.Sprintf("if that is meant, name it: --project-path %q", real),
				"project %q leads over a symlink to %q, out of %q, where what runs in a sandbox could have made the link", dir, real, top)
		}
		var now string
		if now, err = filepath.EvalSymlinks(real); err == nil && now != real {
			return fault("try again", "project %q changes while it is looked at", dir)
		}
		dir = real
	}
	if err != nil {
		hint := ""
		if strings.HasPrefix(r.o.Dir, "~") {
			hint = "the shell expands ~ where it begins a word that is not quoted"
		}
		return fault(hint, "project %q: %v", r.o.Dir, errno(err))
	}
	st, err := os.Stat(dir)
	switch {
	case err != nil:
		return fault("", "project %q: %v", dir, errno(err))
	case !st.IsDir():
		return fault("", "project %q is not a directory", dir)
	case r.o.Dir == "" && !sameFile(st, "."):
		return fault("try again", "project %q is not the working directory any more", dir)
	case dir == "/":
		return fault("name a directory below it by --project-path", "the root directory cannot be a project")
	}
	for _, special := range []string{"/proc", "/sys", "/dev"} {
		if plan.Within(dir, special) && !plan.Within(dir, "/dev/shm") {
			return fault("", "project %q is in %s, which is private in the sandbox", dir, special)
		}
	}
	for _, home := range []string{realDir(r.Home), realDir(r.Passwd)} {
		if home == "" || !plan.Within(home, dir) {
			continue
		}
		what := "is the home directory"
		if home != dir {
			what = "holds the home directory"
		}
		return fault("make a directory for the project below it, or name one by --project-path", "project %q %s, which is what sbx run hides", dir, what)
	}
	r.Dir = dir
	return nil
}

func sameFile(st os.FileInfo, path string) bool {
	other, err := os.Stat(path)
	return err == nil && os.SameFile(st, other)
}

// realDir returns the canonical path of a directory that may not be there; "" of "".
func realDir(dir string) string {
	if dir == "" {
		return ""
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		return real
	}
	return filepath.Clean(dir)
}

// evaluate evaluates the layers in their order.
func (r *run) evaluate() error {
	var user []byte
	if r.Config != "" {
		r.UserFile = filepath.Join(r.Config, "project.star")
		var err error
		if user, err = readConfig(r.UserFile); err != nil {
			return fault("", "cannot read %q: %v", r.UserFile, errno(err))
		}
		if user != nil {
			r.User = Own
		}
	}
	if err := r.findProjectFile(); err != nil {
		return err
	}

	l := r.begin(user)
	defer func() { l.Close() }()
	r.userModules, r.userCalls = l.Modules(), len(l.Calls())
	r.trustedTop = r.trustedDir(merge(l.Calls(), r.o).trusted)
	switch r.Project {
	case Own:
		r.addProject(l, nil)
	case Untrusted:
		var ds plan.Diagnostics
		if l, ds = r.addUntrusted(l, user); ds != nil {
			return append(ds, r.faults(l, true)...)
		}
	}
	return r.finish(l)
}

// begin evaluates the defaults and the user's file.
func (r *run) begin(user []byte) *eval.Layers {
	opt := r.o.Eval
	opt.Project = r.Dir
	l := eval.NewLayers(opt)
	args := map[string]any{"project": r.given(), "home": "/tmp/home"}
	if homes := otherHomes(); len(homes) > 0 {
		args["homes"] = homes
	}
	if r.Home != "" {
		args["home"] = r.Home
	}
	l.Call("@sbx//run.star", "sandbox", args)
	r.looked = len(l.Plan().Inputs)
	if user != nil {
		l.File(r.UserFile, r.UserFile, user)
	}
	return l
}

// given returns the project as the user wrote it, absolute: where that leads over
// symlinks it is to work in the sandbox as well.
func (r *run) given() string {
	if r.o.Dir == "" {
		return r.Dir
	}
	if abs, err := filepath.Abs(r.o.Dir); err == nil {
		return abs
	}
	return r.Dir
}

// findProjectFile looks for the project's file.
func (r *run) findProjectFile() error {
	if r.o.ConfigFile != nil {
		path, err := filepath.Abs(r.o.ConfigFile.Text)
		if err != nil {
			return fault("", "%v", err)
		}
		r.ProjectFile, r.Project = path, Own
		r.Files = NewClosure(path)
		if err := r.Files.Err; err != nil {
			return plan.Diagnostics{{At: r.o.ConfigFile.At, Msg: fmt.Sprintf("cannot read %q: %v", r.o.ConfigFile.Text, errno(err))}}
		}
		return nil
	}
	path := filepath.Join(r.Dir, FileName)
	if _, err := os.Lstat(path); err != nil {
		if absent(err) {
			return nil
		}
		return fault("", "cannot read %q: %v", path, errno(err))
	}
	r.ProjectFile = path
	if r.o.IgnoreProjectConfig {
		r.Project = Ignored
		return nil
	}
	r.Files = NewClosure(path)
	if err := r.Files.Err; err != nil {
		return fault("--ignore-project-config does without it", "cannot read %q: %v", path, errno(err))
	}
	r.Project = Untrusted
	return nil
}

// addProject evaluates the project's file and works out what it adds. host, where
// not nil, is what it sees.
func (r *run) addProject(l *eval.Layers, host eval.Host) {
	if host == nil {
		host = r.host()
	}
	since := markOf(l)
	r.evaluateFile(l, host)
	r.Adds, r.Uses = r.additions(l, since), l.Uses()[since.uses:]
}

// evaluateFile evaluates the project's file, exactly as it was read for its digest.
func (r *run) evaluateFile(l *eval.Layers, host eval.Host) {
	l.SetHost(pinned{host, r.Files})
	l.File(r.ProjectFile, r.shortName(), r.Files.Files[0].Text)
	l.SetHost(r.host())
}

func (r *run) host() eval.Host {
	if r.o.Eval.Host != nil {
		return r.o.Eval.Host
	}
	return eval.OS{}
}

// shortName returns what diagnostics call the project's file.
func (r *run) shortName() string {
	if cwd, err := os.Getwd(); err == nil && filepath.Dir(r.ProjectFile) == cwd {
		return filepath.Base(r.ProjectFile)
	}
	return r.ProjectFile
}

// readConfig reads a configuration file; nil: there is none.
func readConfig(path string) ([]byte, error) {
	b, err := eval.OS{}.ReadFile(path, eval.MaxSource)
	if absent(err) {
		return nil, nil
	}
	if b == nil && err == nil {
		b = []byte{}
	}
	return b, err
}

// fault returns one diagnostic without a position.
func fault(hint, format string, args ...any) error {
	return plan.Diagnostics{{Msg: fmt.Sprintf(format, args...), Hint: hint}}
}

// errno returns the bare reason of an error.
func errno(err error) error {
	for {
		u, ok := err.(interface{ Unwrap() error })
		if !ok {
			return err
		}
		err = u.Unwrap()
	}
}

// passwdHome returns the home directory of a user by passwd(5), or "".
func passwdHome(uid int) (home string) {
	eachUser(func(id int, dir string) {
		if id == uid && home == "" {
			home = dir
		}
	})
	return home
}

// otherHomes returns the home directories that lie neither in /home nor in /root,
// which are hidden in any case.
func otherHomes() []string {
	homes, self := []string{}, os.Getuid()
	eachUser(func(id int, dir string) {
		person := id >= 1000 && id < 65534 || id == self
		if !person || !filepath.IsAbs(dir) || plan.Within(dir, "/home") || plan.Within(dir, "/root") {
			return
		}
		dir = filepath.Clean(dir)
		for _, system := range [...]string{"/", "/bin", "/dev", "/etc", "/lib", "/opt", "/proc", "/run", "/sbin", "/srv", "/sys", "/tmp", "/usr", "/usr/bin", "/usr/sbin", "/var", "/var/empty", "/var/lib", "/nonexistent"} {
			if dir == system {
				return
			}
		}
		homes = append(homes, dir)
	})
	return homes
}

// eachUser calls f for the users of passwd(5).
func eachUser(f func(uid int, home string)) {
	b, err := eval.OS{}.ReadFile("/etc/passwd", 4<<20)
	if err != nil {
		return
	}
	for line := range strings.Lines(string(b)) {
		field := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 7)
		if len(field) < 6 {
			continue
		}
		uid := 0
		for _, c := range field[2] {
			if c < '0' || c > '9' || uid > 1<<32 {
				uid = -1
				break
			}
			uid = uid*10 + int(c-'0')
		}
		if uid >= 0 {
			f(uid, field[5])
		}
	}
}
