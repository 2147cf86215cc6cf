package eval

// Which lines of settings and shell scripts hold secrets. What the name of one
// is, is the same as in the environment.

import (
	"strings"

	"go.starlark.net/starlark"
)

// hasToken reports whether a text has a token in it that is known by its looks.
func hasToken(s string) bool {
	for _, begin := range [...]string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xoxb-", "xoxp-", "sk-", "sk_live_", "rk_live_", "hf_",
		"npm_", "pypi-", "AKIA", "AIza", "dckr_pat_", "dop_v1_"} {
		for rest := s; ; {
			i := strings.Index(rest, begin)
			if i < 0 {
				break
			}
			word := i > 0 && isWord(rest[i-1]) // the middle of one
			rest = rest[i+len(begin):]
			n, digits := 0, 0
			for n < len(rest) && isWord(rest[n]) {
				if rest[n] >= '0' && rest[n] <= '9' {
					digits++
				}
				n++
			}
			if !word && n >= 16 && digits >= 2 {
				return true
			}
		}
	}
	return strings.Contains(s, "-----BEGIN") && strings.Contains(s, "PRIVATE KEY")
}

func isWord(c byte) bool {
	return c == '_' || c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// HoldsSecret reports whether a line of settings, or of a shell script, gives a
// name of a secret its value, NAME=value, NAME: value, <NAME>value, set NAME value,
// or has a URL with a login or a token that is known by its looks. A value that is
// taken from a variable or a command is none.
func HoldsSecret(line string) bool {
	if hasToken(line) {
		return true
	}
	for rest := line; ; {
		i := strings.Index(rest, "://")
		if i < 0 {
			break
		}
		web := strings.HasSuffix(rest[:i], "http") || strings.HasSuffix(rest[:i], "https")
		rest = rest[i+3:]
		user, password := login(rest)
		if password != "" && password[0] != '$' || web && user != "" && user != "git" && user[0] != '$' && password == "" {
			return true
		}
	}
	for i := 0; i < len(line); i++ {
		name := nameBefore(line, i)
		if name == "" || !IsSecretName(name) || !asItStands(line[i], line[i+1:]) {
			continue
		}
		if (name == "key" || name == "keys") && strings.HasPrefix(line[i+1:], "(") {
			continue // those of the keyboard, as zsh's settings have them
		}
		return true
	}
	words := strings.Fields(line)
	for i, w := range words {
		if w != "set" && w != "setenv" {
			continue
		}
		for i++; i < len(words) && words[i][0] == '-'; i++ {
		}
		if i+1 < len(words) && IsSecretName(words[i]) && words[i+1] != "=" && asItStands(' ', words[i+1]) {
			return true
		}
	}
	return false
}

// nameBefore returns the name that the character at i, one of =, : and >, gives a
// value, or "".
func nameBefore(line string, i int) string {
	end := i
	switch line[i] {
	case '=':
		if end > 0 && strings.IndexByte("+?:", line[end-1]) >= 0 { // += and the like
			end--
		}
	case ':':
		if i+1 < len(line) && strings.IndexByte(" \t\"", line[i+1]) < 0 {
			return ""
		}
	case '>':
	default:
		return ""
	}
	if line[i] != '>' {
		for end > 0 && (line[end-1] == ' ' || line[end-1] == '\t') {
			end--
		}
		if end > 0 && (line[end-1] == '"' || line[end-1] == '\'') {
			end--
		}
	}
	begin := end
	for begin > 0 && (isWord(line[begin-1]) || line[begin-1] == '.') {
		begin--
	}
	if begin == end || line[i] == '>' && (begin == 0 || line[begin-1] != '<') ||
		begin > 0 && line[begin-1] == '$' || begin > 1 && line[begin-1] == '{' && line[begin-2] == '$' { // a use
		return ""
	}
	return line[begin:end]
}

// asItStands reports whether what follows a separator is a value as it stands.
func asItStands(sep byte, value string) bool {
	value = strings.TrimLeft(value, " \t")
	switch {
	case value == "":
		return sep != '=' && sep != ' ' // on the lines that follow
	case value[0] == '(' && (sep == ' ' || strings.HasPrefix(value, "($")):
		return false // of a command, in fish; of variables
	case value[0] == '=' || value[0] == '~':
		return false // a comparison
	case strings.HasPrefix(value, "$'"):
		return true
	case value[0] == '"' || value[0] == '\'':
		if len(value) > 1 && value[1] == value[0] && !strings.HasPrefix(value[2:], value[:1]) {
			return false // empty
		}
		return value[0] == '\'' || !strings.HasPrefix(value[1:], "$")
	}
	return value[0] != '$' && value[0] != '`' && value[0] != ';'
}

func fnHoldsSecret(c *call) (starlark.Value, error) {
	for line := range strings.Lines(string(c.str(0))) {
		if HoldsSecret(strings.TrimRight(line, "\r\n")) {
			return starlark.True, nil
		}
	}
	return starlark.False, nil
}
