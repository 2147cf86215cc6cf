package eval

// "Did you mean": the nearest of some names, and names that other languages
// and tools use for the same thing.

// nearest returns the candidate closest to s, or "" where none is close. Case
// and underscores do not count.
func nearest(s string, candidates []string) string {
	x := fold(s)
	if len(x) > 64 {
		return ""
	}
	best, bestD := "", len(x)/3+1
	if len(x) < 3 {
		bestD = 1
	}
	for _, c := range candidates {
		y := fold(c)
		if len(y)-len(x) > bestD || len(x)-len(y) > bestD {
			continue
		}
		if d := distance(x, y); d < bestD {
			best, bestD = c, d
		}
	}
	return best
}

func fold(s string) string {
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		switch b := s[i]; {
		case b == '_' || b == '-':
		case b >= 'A' && b <= 'Z':
			out = append(out, b|0x20)
		default:
			out = append(out, b)
		}
	}
	return string(out)
}

// distance is the number of bytes to insert, remove, replace or swap with
// their neighbour to get from x to y.
func distance(x, y string) int {
	var rows [3][]int
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
	}
	before, above, row := rows[0], rows[1], rows[2]
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above, row = above, row, before
	}
	return above[len(y)]
}

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
