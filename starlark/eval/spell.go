package eval

// "Did you mean": names that other languages and tools use for the same thing.

// foreignName returns the hint for a name that is none here but is used
// elsewhere for something that is.
func foreignName(name string) string {
	switch name {
	case "true", "TRUE":
		return "did you mean \"True\"?"
	case "false", "FALSE":
		return "did you mean \"False\"?"
	case "null", "NULL", "nil", "none", "undefined":
		return "did you mean \"None\"?"
	case "os", "env", "environ", "getenv", "ENV":
		return "the environment is read as host.env[\"NAME\"] and changed by setenv()"
	case "open", "readfile", "read_file":
		return "did you mean \"read\"?"
	case "mount", "bind_mount", "mount_bind", "rbind":
		return "did you mean \"bind\"?"
	case "ro_bind", "robind", "bind_ro":
		return "write bind(…, ro = True)"
	case "bind_try", "ro_bind_try":
		return "write bind(…, optional = True)"
	case "file", "write_file":
		return "did you mean \"write\"?"
	case "makedirs", "mkdirs", "directory":
		return "did you mean \"mkdir\"?"
	case "ln", "link":
		return "did you mean \"symlink\"?"
	case "cp":
		return "did you mean \"copy\"?"
	case "run", "exec", "system", "subprocess", "cmd", "argv":
		return "scripts run nothing themselves; command([…]) sets what the sandbox runs"
	case "cd", "workdir", "cwd":
		return "did you mean \"chdir\"?"
	case "ulimit", "setrlimit":
		return "did you mean \"rlimit\"?"
	case "unshare_net", "unshare_pid", "unshare_ipc", "unshare_uts", "unshare_all":
		return "write unshare(net = True)"
	case "uid", "gid", "user", "home", "arch", "kernel", "os_release":
		return "did you mean \"host." + name + "\"?"
	case "caps", "cap_add", "cap_drop":
		return "did you mean \"capabilities\"?"
	case "error", "panic", "die", "exit", "abort":
		return "did you mean \"fail\"?"
	case "format", "sprintf":
		return "write \"%s\" % value or \"{}\".format(value)"
	case "isinstance":
		return "write type(x) == \"string\""
	case "sum", "map", "filter":
		return "use a loop or a comprehension"
	case "self", "super", "class", "object":
		return "there are no classes; struct() makes records"
	}
	return ""
}
