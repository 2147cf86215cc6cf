package eval

// The table of built-ins: what scripts, the reference and `sbx help` know.

import (
	"strings"

	"go.starlark.net/starlark"
)

// Builtin is one name that scripts can use without load.
type Builtin struct {
	Name  string
	Group string // heading in the reference
	Doc   string // sentences, the first one a summary

	spec    spec
	fn      func(*call) (starlark.Value, error)
	value   func(*evaluator, *module) starlark.Value // in place of fn
	planned bool                                     // changes the plan: not at a module's top level
	soft    bool                                     // returns None, so a bad call need not end the script
	each    bool                                     // its arguments are looked at one by one, though some are wrong
}

// IsFunc reports whether the name is a function, not a value.
func (b *Builtin) IsFunc() bool { return b.fn != nil }

// Signature returns the built-in's form as a reference shows it.
func (b *Builtin) Signature() string {
	if b.fn == nil {
		return b.Name
	}
	var s strings.Builder
	s.WriteString(b.Name)
	s.WriteByte('(')
	sep := ""
	star := b.spec.pos < len(b.spec.args)
	if b.spec.rest.name != "" {
		s.WriteString("*" + b.spec.rest.name)
		sep, star = ", ", false
	}
	for i, a := range b.spec.args {
		s.WriteString(sep)
		sep = ", "
		if i == b.spec.pos && star {
			s.WriteString("*, ")
		}
		s.WriteString(a.name)
		if a.def != "" {
			s.WriteString(" = " + a.def)
		}
	}
	s.WriteByte(')')
	return s.String()
}

// Lookup returns the built-in of that name, or nil.
func Lookup(name string) *Builtin {
	for i := range Builtins {
		if b := &Builtins[i]; b.Name == name {
			return b
		}
	}
	return nil
}

// Groups of built-ins, in the order of the reference.
const (
	groupFiles    = "Files and mounts"
	groupEnv      = "Environment and command"
	groupIdentity = "Identity and namespaces"
	groupProcess  = "Limits and file descriptors"
	groupParams   = "Parameters"
	groupHost     = "The host"
	groupPeers    = "What other programs do"
	groupLang     = "Language"
)

// Builtins is every built-in beside Starlark's own. Its literals are constants
// and functions only, so that it costs nothing at the start of the program.
var Builtins = []Builtin{
	{Name: "bind", Group: groupFiles, planned: true, soft: true, fn: fnBind,
		Doc: "Shows a file or directory of the host in the sandbox, with all mounts below it. " +
			"`ro` makes it read-only; `optional` skips it when src is missing; `follow = False` binds a symlink itself; " +
			"`inside` takes src from the sandbox; `dev` says whether device nodes work, else only for / and /dev; " +
			"`create` makes a missing dst on the host, `create_src` a missing src, as a directory with mode 0o700; `foreign` maps the foreign uid range of systemd-mountfsd(8).",
		spec: spec{pos: 2, args: []arg{{"src", kPath, ""}, {"dst", kPath | kNone, "src"}, {"ro", kBool, "False"}, {"optional", kBool, "False"},
			{"follow", kBool, "True"}, {"inside", kBool, "False"}, {"dev", kBool | kNone, "None"},
			{"create", kBool, "False"}, {"follow_dst", kBool, "False"}, {"chase", kBool, "False"},
			{"parent_mode", kInt | kNone, "None"}, {"suid", kBool, "False"}, {"foreign", kBool, "False"}, {"create_src", kBool, "False"}}}},
	{Name: "tmpfs", Group: groupFiles, planned: true, soft: true, fn: fnTmpfs,
		Doc: "Mounts an empty file system in memory. `size` is in bytes or a string such as \"64M\"; 0 leaves the kernel's own limit. " +
			"`mode` is 0o755, and 0o1777 for …/tmp and …/var/tmp.",
		spec: spec{pos: 1, args: []arg{{"dst", kPath, ""}, {"size", kInt | kString, "0"}, {"mode", kInt | kNone, "None"},
			{"create", kBool, "False"}, {"follow_dst", kBool, "False"}, {"chase", kBool, "False"},
			{"parent_mode", kInt | kNone, "None"}, {"suid", kBool, "False"}, {"dev", kBool | kNone, "None"}}}},
	{Name: "mkdir", Group: groupFiles, planned: true, soft: true, fn: fnMkdir,
		Doc: "Makes a directory, and its parents as needed. `mode` is 0o755, and 0o1777 for …/tmp and …/var/tmp; where it is given, a directory that the sandbox has of its own already gets it, too, " +
			"and one of the host's stays as it is, with a warning. `optional` leaves what is there, whatever it is.",
		spec: spec{pos: 1, args: []arg{{"dst", kPath, ""}, {"mode", kInt | kNone, "None"}, {"create", kBool, "False"}, {"follow_dst", kBool, "False"}, {"chase", kBool, "False"},
			{"parent_mode", kInt | kNone, "None"}, {"optional", kBool, "False"}}}},
	{Name: "mqueue", Group: groupFiles, planned: true, soft: true, fn: fnMqueue,
		Doc: "Mounts the POSIX message queues of the sandbox.",
		spec: spec{pos: 1, args: []arg{{"dst", kPath, `"/dev/mqueue"`}, {"create", kBool, "False"}, {"follow_dst", kBool, "False"}, {"chase", kBool, "False"},
			{"parent_mode", kInt | kNone, "None"}}}},
	{Name: "dev", Group: groupFiles, planned: true, soft: true, fn: fnDev,
		Doc: "Makes a private /dev: null, zero, full, random, urandom, tty, fuse where present, pts, shm and the links to file descriptors, " +
			"and console when sbx is on a terminal.",
		spec: spec{pos: 1, args: []arg{{"dst", kPath, `"/dev"`}, {"create", kBool, "False"}, {"follow_dst", kBool, "False"}, {"chase", kBool, "False"},
			{"parent_mode", kInt | kNone, "None"}, {"bare", kBool, "False"}}}},
	{Name: "proc", Group: groupFiles, planned: true, soft: true, fn: fnProc,
		Doc: "Mounts /proc: a fresh one in a new pid namespace, else the host's.",
		spec: spec{pos: 1, args: []arg{{"dst", kPath, `"/proc"`}, {"create", kBool, "False"}, {"follow_dst", kBool, "False"}, {"chase", kBool, "False"},
			{"parent_mode", kInt | kNone, "None"}}}},
	{Name: "symlink", Group: groupFiles, planned: true, soft: true, fn: fnSymlink,
		Doc: "Makes a symbolic link at dst. The same link there already is no fault; another file is mounted over.",
		spec: spec{pos: 2, args: []arg{{"target", kPath, ""}, {"dst", kPath, ""}, {"create", kBool, "False"}, {"follow_dst", kBool, "False"}, {"chase", kBool, "False"},
			{"parent_mode", kInt | kNone, "None"},
			{"content", kString | kNone, "None"}}}},
	{Name: "write", Group: groupFiles, planned: true, soft: true, fn: fnWrite,
		Doc: "Makes a file of the sandbox's own with that content.",
		spec: spec{pos: 2, args: []arg{{"dst", kPath, ""}, {"data", kPath, ""}, {"mode", kInt | kNone, "None"}, {"create", kBool, "False"}, {"follow_dst", kBool, "False"}, {"chase", kBool, "False"},
			{"parent_mode", kInt | kNone, "None"},
			{"content", kString | kNone, "None"}, {"ro", kBool, "False"}}}},
	{Name: "copy", Group: groupFiles, planned: true, soft: true, fn: fnCopy,
		Doc: "Makes a file of the sandbox's own with the content of a file of the host.",
		spec: spec{pos: 2, args: []arg{{"src", kPath, ""}, {"dst", kPath, ""}, {"mode", kInt | kNone, "None"}, {"create", kBool, "False"}, {"follow_dst", kBool, "False"}, {"chase", kBool, "False"},
			{"parent_mode", kInt | kNone, "None"},
			{"content", kString | kNone, "None"}}}},
	{Name: "overlay", Group: groupFiles, planned: true, soft: true, fn: fnOverlay,
		Doc: "Stacks directories of the host. `lower` is one directory or a list, bottom first; `upper` is the directory that takes the changes, " +
			"\"tmpfs\" to keep them in memory, or None for a read-only stack; `work` is an empty directory on the file system of upper, which keeps what the kernel puts there (chmod -R u+rwx lets it be removed); None makes one beside upper and removes it at the end. With \"tmpfs\" the root of a …/tmp has mode 0o1777, any other's that of the topmost directory.",
		spec: spec{pos: 2, args: []arg{{"dst", kPath, ""}, {"lower", kPaths, ""}, {"upper", kPath | kNone, "None"}, {"work", kPath | kNone, "None"},
			{"create", kBool, "False"}, {"follow_dst", kBool, "False"}, {"chase", kBool, "False"},
			{"parent_mode", kInt | kNone, "None"}, {"suid", kBool, "False"}, {"dev", kBool | kNone, "None"}}}},
	{Name: "mask", Group: groupFiles, planned: true, soft: true, fn: fnMask,
		Doc:  "Makes files and directories unreadable: they are there, and empty. `optional` skips those that are missing.",
		spec: spec{args: []arg{{"optional", kBool, "False"}}, rest: arg{"paths", kPath, ""}}},
	{Name: "remount_ro", Group: groupFiles, planned: true, soft: true, fn: fnRemountRO,
		Doc: "Makes a path of the sandbox read-only; what is mounted below it stays as it is. `recursive` does all mounts below it, too. " +
			"`dev = False` takes the devices away as well.",
		spec: spec{pos: 1, args: []arg{{"path", kPath, ""}, {"dev", kBool | kNone, "None"}, {"recursive", kBool, "False"}}}},
	{Name: "chmod", Group: groupFiles, planned: true, soft: true, fn: fnChmod,
		Doc:  "Sets the mode of a path of the sandbox, and its owner where `uid` or `gid` say so.",
		spec: spec{pos: 2, args: []arg{{"path", kPath, ""}, {"mode", kInt, ""}, {"uid", kInt | kNone, "None"}, {"gid", kInt | kNone, "None"}}}},

	{Name: "setenv", Group: groupEnv, planned: true, soft: true, fn: fnSetenv,
		Doc:  "Sets a variable of the command's environment.",
		spec: spec{pos: 2, args: []arg{{"name", kPath, ""}, {"value", kPath, ""}}}},
	{Name: "unsetenv", Group: groupEnv, planned: true, soft: true, fn: fnUnsetenv,
		Doc:  "Removes variables from the command's environment.",
		spec: spec{rest: arg{"names", kPath, ""}}},
	{Name: "clearenv", Group: groupEnv, planned: true, soft: true, fn: fnClearenv,
		Doc:  "Empties the command's environment, except for the names in `keep`.",
		spec: spec{args: []arg{{"keep", kList, "[]"}}}},
	{Name: "pass_env", Group: groupEnv, planned: true, soft: true, fn: fnPassEnv,
		Doc:  "Gives the command the caller's values of variables, where they are set, also after unsetenv and clearenv. The plan holds the names only.",
		spec: spec{rest: arg{"names", kPath, ""}}},
	{Name: "unset_secrets", Group: groupEnv, planned: true, soft: true, fn: fnUnsetSecrets,
		Doc: "Removes variables from the command's environment that look like secrets, by their names or by what holds_secret() knows in their values, or that lead to " +
			"a socket, agent or display of the host's. pass_env() and setenv() bring single ones back."},
	{Name: "chdir", Group: groupEnv, planned: true, soft: true, fn: fnChdir,
		Doc:  "Sets the command's working directory. Of several calls of chdir() and same_dir() the last one counts.",
		spec: spec{pos: 1, args: []arg{{"dir", kPath, ""}}}},
	{Name: "same_dir", Group: groupEnv, planned: true, soft: true, fn: fnSameDir,
		Doc: "Starts the command in the caller's working directory, by its path in the sandbox. Of several calls of chdir() and same_dir() the last one counts. " +
			"With `optional` it starts in $HOME, or else in /, where the sandbox does not have that directory.",
		spec: spec{args: []arg{{"optional", kBool, "False"}}}},
	{Name: "command", Group: groupEnv, planned: true, soft: true, fn: fnCommand,
		Doc:  "Sets the command that runs when the command line names none. `argv0` is what it sees as its own name.",
		spec: spec{pos: 1, args: []arg{{"argv", kList, ""}, {"argv0", kPath | kNone, "None"}}}},
	{Name: "hostname", Group: groupEnv, planned: true, soft: true, fn: fnHostname,
		Doc:  "Gives the sandbox a host name of its own, in a new UTS namespace.",
		spec: spec{pos: 1, args: []arg{{"name", kString, ""}}}},
	{Name: "umask", Group: groupEnv, planned: true, soft: true, fn: fnUmask,
		Doc:  "Sets the command's file mode creation mask.",
		spec: spec{pos: 1, args: []arg{{"mode", kInt, ""}}}},

	{Name: "become_root", Group: groupIdentity, planned: true, soft: true, fn: fnBecomeRoot,
		Doc: "Runs the command as uid and gid 0 of the sandbox, with the capabilities that builds need."},
	{Name: "map_user", Group: groupIdentity, planned: true, soft: true, fn: fnMapUser,
		Doc:  "Runs the command under that uid and gid of the sandbox; \"caller\" keeps the caller's.",
		spec: spec{pos: 2, args: []arg{{"uid", kInt | kString, ""}, {"gid", kInt | kString | kNone, "uid"}}}},
	{Name: "map_ids", Group: groupIdentity, planned: true, soft: true, fn: fnMapIDs,
		Doc: "Maps ranges of uids and gids, each (inside, outside, count), the caller's own among them; for containers in the sandbox. " +
			"Ordinary users may map what subuid(5) and subgid(5) grant them, by newuidmap(1) and newgidmap(1).",
		spec: spec{pos: 2, args: []arg{{"uids", kList, ""}, {"gids", kList, ""}}}},
	{Name: "capabilities", Group: groupIdentity, planned: true, soft: true, fn: fnCapabilities,
		Doc: "Says which capabilities the command has: \"none\", \"all\", \"build\", those that become_root() gives also without it, or those named in `keep`, with or without CAP_. " +
			"\"caller\" is those of a caller who is root, with those in `add` and without those in `drop`. " +
			"`bounding` are those that set-id programs may gain beside them, after no_new_privs(False).",
		spec: spec{pos: 1, args: []arg{{"set", kString | kNone, "None"}, {"keep", kList | kNone, "None"}, {"add", kList | kNone, "None"}, {"drop", kList | kNone, "None"}, {"bounding", kList | kNone, "None"}}}},
	{Name: "no_new_privs", Group: groupIdentity, planned: true, soft: true, fn: fnNoNewPrivs,
		Doc:  "Says whether set-id programs and file capabilities are without effect, as they are by default.",
		spec: spec{pos: 1, args: []arg{{"on", kBool, "True"}}}},
	{Name: "unshare", Group: groupIdentity, planned: true, soft: true, fn: fnUnshare,
		Doc: "Gives the sandbox namespaces of its own beside mount and user. `net` has only a loopback interface; `pid` comes with an init unless init(False). " +
			"`user` makes a user namespace even for root; \"try\" for `user` and `cgroup` does without where the host has none.",
		spec: spec{args: []arg{{"net", kBool, "False"}, {"ipc", kBool, "False"}, {"pid", kBool, "False"},
			{"uts", kBool, "False"}, {"cgroup", kBool | kString, "False"}, {"time", kBool, "False"}, {"user", kBool | kString, "False"}}}},
	{Name: "init", Group: groupIdentity, planned: true, soft: true, fn: fnInit,
		Doc:  "Says whether pid 1 of a new pid namespace is a small init that reaps, as it is by default, or the command.",
		spec: spec{pos: 1, args: []arg{{"on", kBool, "True"}}}},
	{Name: "die_with_parent", Group: groupIdentity, planned: true, soft: true, fn: fnDieWithParent,
		Doc:  "Says whether everything in the sandbox ends when sbx does, as it does by default.",
		spec: spec{pos: 1, args: []arg{{"on", kBool, "True"}}}},
	{Name: "new_session", Group: groupIdentity, planned: true, soft: true, fn: fnNewSession,
		Doc: "Runs the command in a new session, without the caller's terminal. Ctrl-C still ends it; Ctrl-Z does nothing."},

	{Name: "scope_sockets", Group: groupIdentity, planned: true, soft: true, fn: fnScopeSockets,
		Doc: "Whether the command is kept from abstract Unix sockets of the host's processes, which it could reach by a network that is shared. " +
			"It needs Linux 6.12 or newer, and is without effect where there is not that.",
		spec: spec{pos: 1, args: []arg{{"on", kBool, "True"}}}},
	{Name: "suppress_chown", Group: groupProcess, planned: true, soft: true, fn: fnSuppressChown,
		Doc: "Makes the chown calls succeed without doing anything."},
	{Name: "suppress_sync", Group: groupProcess, planned: true, soft: true, fn: fnSuppressSync,
		Doc: "Makes the sync calls succeed without doing anything."},
	{Name: "rlimit", Group: groupProcess, planned: true, soft: true, fn: fnRlimit,
		Doc:  "Sets a resource limit of setrlimit(2), \"nofile\" or \"RLIMIT_NOFILE\"; a value is an int or \"unlimited\".",
		spec: spec{pos: 3, args: []arg{{"name", kString, ""}, {"soft", kInt | kString, ""}, {"hard", kInt | kString | kNone, "soft"}}}},
	{Name: "close_fd", Group: groupProcess, planned: true, soft: true, fn: fnCloseFD,
		Doc:  "Keeps a file descriptor open while the sandbox is made and closes it as the command starts, for a caller who waits on it.",
		spec: spec{pos: 1, args: []arg{{"fd", kInt, ""}}}},
	{Name: "pass_fd", Group: groupProcess, planned: true, soft: true, fn: fnPassFD,
		Doc:  "Passes an open file descriptor of the caller on to the command.",
		spec: spec{pos: 1, args: []arg{{"fd", kInt, ""}}}},
	{Name: "pack_fds", Group: groupProcess, planned: true, soft: true, fn: fnPackFDs,
		Doc: "Numbers the passed file descriptors, or all inherited ones where none is passed, from 3 and sets LISTEN_FDS and LISTEN_PID, as systemd does."},

	{Name: "project", Group: groupParams, planned: true, soft: true, each: true, fn: fnProject,
		Doc: "Sets what `sbx run` does for a project, in its configuration files. `allow_settings` names templates of the standard library; " +
			"`extra_data_paths` are shown too, writable; `excluded_paths`, which may be patterns, are masked; `refuse_if_exists` names files that mark a directory " +
			"that is no project; `command` is the default command; `trusted_dirs` are directories whose projects need no trust, in the user's own file only. " +
			"Relative paths are the project's, and ~/ is the home directory.",
		spec: spec{args: []arg{{"allow_settings", kPaths | kNone, "None"}, {"extra_data_paths", kPaths | kNone, "None"}, {"excluded_paths", kPaths | kNone, "None"},
			{"refuse_if_exists", kPaths | kNone, "None"}, {"command", kPaths | kNone, "None"}, {"trusted_dirs", kPaths | kNone, "None"}}}},
	{Name: "param", Group: groupParams, planned: true, fn: fnParam,
		Doc: "Declares a parameter and returns its value, which `--set name=value` gives. Without `default` it is required. " +
			"`type` is \"string\", \"int\", \"bool\" or \"list\", taken from default where not given; `choices` lists the values allowed.",
		spec: spec{pos: 1, args: []arg{{"name", kString, ""}, {"default", kAny, "None"}, {"help", kString, `""`}, {"choices", kList | kNone, "None"}, {"type", kString | kNone, "None"}}}},
	{Name: "args", Group: groupParams, value: valArgs,
		Doc: "The command line arguments after the script, a list of strings."},
	{Name: "script", Group: groupParams, value: valScript,
		Doc: "The file this code is in: `script.dir`, its absolute directory (on standard input the working directory), and `script.file`, its absolute path. " +
			"A module has its own; modules of the standard library have the entry script's."},

	{Name: "host", Group: groupHost, value: valHost,
		Doc: "What sbx runs on: `env` (read like a dict), `cwd`, `project` (the directory that `sbx run` is for, else None), `home`, `user`, `uid`, `gid`, `arch` and `kernel` as uname(1) tells them, `os_release` (a dict)."},
	{Name: "exists", Group: groupHost, fn: fnExists,
		Doc:  "Reports whether a path of the host exists, following symlinks. What the caller may not look at does not; where nobody can tell, that is an error.",
		spec: spec{pos: 1, args: []arg{{"path", kPath, ""}}}},
	{Name: "is_dir", Group: groupHost, fn: fnIsDir,
		Doc:  "Reports whether a path of the host is a directory, following symlinks.",
		spec: spec{pos: 1, args: []arg{{"path", kPath, ""}}}},
	{Name: "glob", Group: groupHost, fn: fnGlob,
		Doc:  "Returns the paths of the host that match a pattern with *, ? and […], sorted.",
		spec: spec{pos: 1, args: []arg{{"pattern", kPath, ""}}}},
	{Name: "read", Group: groupHost, fn: fnRead,
		Doc:  "Returns the content of a regular file of the host, at most 16 MiB. Where it cannot be read, that is a fault, or `default` is returned.",
		spec: spec{pos: 1, args: []arg{{"path", kPath, ""}, {"default", kAny, "none"}}}},
	{Name: "realpath", Group: groupHost, fn: fnRealpath,
		Doc:  "Returns a path of the host with all symlinks resolved.",
		spec: spec{pos: 1, args: []arg{{"path", kPath, ""}}}},
	{Name: "readlink", Group: groupHost, fn: fnReadlink,
		Doc:  "Returns the text of a symbolic link of the host, or None where the path is none.",
		spec: spec{pos: 1, args: []arg{{"path", kPath, ""}}}},
	{Name: "symlinks", Group: groupHost, fn: fnSymlinks,
		Doc:  "Returns the paths of the symbolic links in a directory of the host and `depth` levels of directories, sorted. Links are not followed.",
		spec: spec{pos: 1, args: []arg{{"dir", kPath, ""}, {"depth", kInt, "1"}}}},
	{Name: "holds_secret", Group: groupHost, fn: fnHoldsSecret,
		Doc: "Reports whether a text, of settings or of a shell script, has a line that gives a secret its value: by a name that unset_secrets() knows, " +
			"in a URL, as an argument of a command, or as a token that is known by its looks.",
		spec: spec{pos: 1, args: []arg{{"text", kPath, ""}}}},
	{Name: "which", Group: groupHost, fn: fnWhich,
		Doc:  "Returns the path of a program on the host's PATH, or None.",
		spec: spec{pos: 1, args: []arg{{"name", kPath, ""}}}},

	{Name: "defaults", Group: groupPeers, planned: true, soft: true, fn: fnDefaults,
		Doc: "Sets what later calls take for an argument that they are not given. `create` makes a missing destination on the host; " +
			"`follow_dst` goes where a symlink at the destination leads, with files too; `chase` has symlinks on the way that lead nowhere count, and makes where they lead; " +
			"`parent_mode` is that of directories made on the way, else 0o755; " +
			"`suid` has set-id programs count, `dev` device nodes work, in what is mounted; " +
			"`content` has symlinks and files go \"through\" to the host where their destination is there, or \"mount\" over it, else what fits.",
		spec: spec{args: []arg{{"create", kBool, "False"}, {"follow_dst", kBool, "False"}, {"chase", kBool, "False"},
			{"parent_mode", kInt | kNone, "None"}, {"suid", kBool, "False"},
			{"dev", kBool | kNone, "None"}, {"content", kString | kNone, "None"}}}},
	{Name: "order", Group: groupPeers, planned: true, soft: true, fn: fnOrder,
		Doc: "Says in which order operations are done: \"tree\", sorted by destination, as by default, or \"given\", as they are called, as bubblewrap does. " +
			"Then a later mount hides what lies below it, and what is missing in a read-only tree is a fault.",
		spec: spec{pos: 1, args: []arg{{"order", kString, ""}}}},
	{Name: "propagation", Group: groupPeers, planned: true, soft: true, fn: fnPropagation,
		Doc:  "Says whether what is mounted on the host later shows up in binds: \"private\", not, as by default, \"slave\", or \"shared\": as slave, and what is mounted in the sandbox shows up in namespaces made from it.",
		spec: spec{pos: 1, args: []arg{{"kind", kString, ""}}}},
	{Name: "mount_point_mode", Group: groupPeers, planned: true, soft: true, fn: fnPointMode,
		Doc:  "Sets the mode of files that are made to be mounted on, else 0o644.",
		spec: spec{pos: 1, args: []arg{{"mode", kInt, ""}}}},
	{Name: "bind_fd", Group: groupPeers, planned: true, soft: true, fn: fnBindFD,
		Doc: "Shows the file or directory that is open as a file descriptor of the caller's, as bind does. It is that one or none: what was removed since is a fault, and so is what has another file at its path, or is a symlink itself.",
		spec: spec{pos: 2, args: []arg{{"fd", kInt, ""}, {"dst", kPath, ""}, {"ro", kBool, "False"}, {"dev", kBool | kNone, "None"},
			{"create", kBool, "False"}, {"follow_dst", kBool, "False"}, {"chase", kBool, "False"},
			{"parent_mode", kInt | kNone, "None"}, {"suid", kBool, "False"}}}},
	{Name: "map_foreign", Group: groupPeers, planned: true, soft: true, fn: fnMapForeign,
		Doc: "Maps the foreign uid range to itself, by systemd-nsresourced(8)."},
	{Name: "map_delegate", Group: groupPeers, planned: true, soft: true, fn: fnMapDelegate,
		Doc:  "Maps so many more ranges of 65536 ids, by systemd-nsresourced(8).",
		spec: spec{pos: 1, args: []arg{{"ranges", kInt, ""}}}},
	{Name: "terminal_input", Group: groupPeers, planned: true, soft: true, fn: fnTerminalInput,
		Doc:  "Says whether the command may type into the caller's terminal, which it may not by default.",
		spec: spec{pos: 1, args: []arg{{"on", kBool, "True"}}}},
	{Name: "suspend", Group: groupPeers, planned: true, soft: true, fn: fnSuspend,
		Doc: "Stops the command before it starts, until somebody sends SIGCONT."},
	{Name: "keep_fds", Group: groupPeers, planned: true, soft: true, fn: fnKeepFDs,
		Doc: "Passes all inherited file descriptors on to the command, except those of close_fd."},
	{Name: "command_search", Group: groupPeers, planned: true, soft: true, fn: fnCommandSearch,
		Doc: "Says how the command is found: in `default_path`, where the environment has no PATH; " +
			"`shell_scripts` has files that the kernel cannot execute run by /bin/sh, as execvp(3) does.",
		spec: spec{args: []arg{{"default_path", kPath, `""`}, {"shell_scripts", kBool, "False"}}}},
	{Name: "pwd", Group: groupPeers, planned: true, soft: true, fn: fnPWD,
		Doc: "Says what becomes of the variables PWD and OLDPWD: \"agree\", as by default, has PWD name the working directory where it is set, and unsets OLDPWD; " +
			"\"set\" always sets PWD; \"keep\" leaves both.",
		spec: spec{pos: 1, args: []arg{{"how", kString, ""}}}},
	{Name: "lifetime", Group: groupPeers, planned: true, soft: true, fn: fnLifetime,
		Doc: "Says what ends with what: \"all\", everything with the command, as by default, or \"command\": what the command leaves running goes on, " +
			"signals are for sbx alone, and die_with_parent() has the command end with sbx, and sbx with its parent, as in bubblewrap.",
		spec: spec{pos: 1, args: []arg{{"of", kString, ""}}}},
	{Name: "join_namespaces", Group: groupPeers, planned: true, soft: true, fn: fnJoin,
		Doc: "Enters namespaces that are open as file descriptors: `user` instead of a new one, `user2` once the sandbox is made, " +
			"`pid` as the parent of the sandbox's own.",
		spec: spec{args: []arg{{"user", kInt | kNone, "None"}, {"user2", kInt | kNone, "None"}, {"pid", kInt | kNone, "None"}}}},
	{Name: "disable_userns", Group: groupPeers, planned: true, soft: true, fn: fnDisableUserNS,
		Doc: "Leaves the command no way to make user namespaces."},
	{Name: "assert_userns_disabled", Group: groupPeers, planned: true, soft: true, fn: fnAssertNoUserNS,
		Doc: "Makes it a fault if the command can make user namespaces."},
	{Name: "seccomp", Group: groupPeers, planned: true, soft: true, fn: fnSeccomp,
		Doc:  "Adds a filter of system calls, as the bytes of an array of struct sock_filter, seccomp(2).",
		spec: spec{pos: 1, args: []arg{{"code", kPath, ""}}}},
	{Name: "hooks", Group: groupPeers, planned: true, soft: true, fn: fnHooks,
		Doc: "Names file descriptors for a caller that looks on. `info_fd` gets a JSON object with the pid, `status_fd` that and the exit code; " +
			"`block_fd` is read from before the command starts, `userns_block_fd` before the sandbox is made; `sync_fd` stays open as long as the sandbox.",
		spec: spec{args: []arg{{"info_fd", kInt | kNone, "None"}, {"status_fd", kInt | kNone, "None"}, {"block_fd", kInt | kNone, "None"},
			{"userns_block_fd", kInt | kNone, "None"}, {"sync_fd", kInt | kNone, "None"}}}},
	{Name: "lock_file", Group: groupPeers, planned: true, soft: true, fn: fnLockFile,
		Doc:  "Holds a read lock, fcntl(2), on files of the sandbox as long as it lives.",
		spec: spec{rest: arg{"paths", kPath, ""}}},

	{Name: "fail", Group: groupLang, fn: fnFail,
		Doc:  "Ends the script with an error made of its arguments.",
		spec: spec{doc: true, args: []arg{{"sep", kString, `" "`}}, rest: arg{"args", kAny, ""}}},
	{Name: "struct", Group: groupLang, value: valStruct,
		Doc: "struct(**fields) returns an immutable value with those fields."},
	{Name: "json", Group: groupLang, value: valJSON,
		Doc: "json.encode, json.decode and json.indent."},
	{Name: "math", Group: groupLang, value: valMath,
		Doc: "Mathematical functions and constants: math.ceil, math.sqrt, math.pi …"},
	{Name: "range", Group: groupLang, fn: fnRange,
		Doc:  "Starlark's own range, with a bound on its length.",
		spec: spec{doc: true, pos: 3, args: []arg{{"start_or_stop", kInt, ""}, {"stop", kInt, "None"}, {"step", kInt, "1"}}}},
	{Name: "dir", Group: groupLang, fn: fnDir,
		Doc:  "Starlark's own dir: the attributes of a value. Directories are made by mkdir.",
		spec: spec{doc: true, pos: 1, args: []arg{{"x", kAny, ""}}}},
}
