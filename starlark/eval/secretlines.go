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
	for _, hook := range [...]string{"hooks.slack.com/services/", "discord.com/api/webhooks/", "discordapp.com/api/webhooks/", ".webhook.office.com/webhook", "api.telegram.org/bot"} {
		if strings.Contains(s, hook) {
			return true // who knows it can post there
		}
	}
	return strings.Contains(s, "-----BEGIN") && strings.Contains(s, "PRIVATE KEY")
}

func isWord(c byte) bool {
	return c == '_' || c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// HoldsSecret reports whether a line of settings, or of a shell script, gives a
// name of a secret its value: NAME=value, NAME[x]=value, NAME: value, <NAME>value,
// set NAME value, ${NAME:-value}, read NAME <<< value, printf -v NAME value; or gives a
// command a password as an argument, curl -u name:value, --password value; or has a URL
// or proxy with a login, or a token that is known by its looks. A value that is taken
// from a variable or a command is none, unless that has it as a default or as its input.
func HoldsSecret(line string) bool {
	if hasToken(line) || hasLogin(line, true) || hasDefault(line) || hasCommand(line) || hasArgument(line) {
		return true
	}
	for i := 0; i < len(line); i++ {
		name, of := nameBefore(line, i)
		if name == "" {
			continue
		}
		rest := line[i+1:]
		if isProxy(name) && holdsLogin(rest, true) {
			return true
		}
		// Pwd is how the strings of ODBC and ADO.NET name it: Server=x;Uid=y;Pwd=z.
		odbc := name == "Pwd" || strings.EqualFold(name, "pwd") && strings.HasSuffix(line[:i], ";"+name)
		secret := odbc || IsSecretName(name)
		if of != "" {
			secret = secret && !isKeyboard(name) || IsSecretName(of) && !isKeyboard(of)
		}
		if !secret || !asItStands(line[i], rest) {
			continue
		}
		if isKeyboard(name) && strings.HasPrefix(rest, "(") {
			continue
		}
		return true
	}
	return false
}

// isKeyboard reports whether a name is what shells' settings call keys of the
// keyboard, and of tables.
func isKeyboard(name string) bool { return name == "key" || name == "keys" }

// hasDefault reports whether a line has a variable of a secret's name with a value
// for where it is not set: ${NAME:-value}, ${NAME-value}, ${NAME:=value}, ${NAME=value}.
func hasDefault(line string) bool {
	for rest := line; ; {
		i := strings.Index(rest, "${")
		if i < 0 {
			return false
		}
		rest = rest[i+2:]
		n := variable(rest)
		if n > 0 && IsSecretName(rest[:n]) && isDefault(rest[n:]) {
			return true
		}
	}
}

// variable returns the length of the shell variable's name that s begins with.
func variable(s string) int {
	n := 0
	for n < len(s) && isWord(s[n]) && s[n] != '-' {
		n++
	}
	return n
}

// isDefault reports whether what follows a variable's name after a ${ is a default,
// as it stands.
func isDefault(s string) bool {
	s = strings.TrimPrefix(s, ":")
	if s == "" || s[0] != '-' && s[0] != '=' {
		return false
	}
	s = strings.TrimLeft(s[1:], "\"'")
	return s != "" && s[0] != '}' && s[0] != '$' && s[0] != '`' && !isSwitch(s)
}

// hasCommand reports whether a line has a command that gives a secret's name a
// value: set and setenv, read, printf -v.
func hasCommand(line string) bool {
	words := strings.Fields(line)
	for at := range words {
		i := at + 1
		switch words[at] {
		case "set", "setenv":
			for i < len(words) && words[i][0] == '-' {
				i++
			}
			if i+1 < len(words) && IsSecretName(words[i]) && words[i+1] != "=" && asItStands(' ', strings.Join(words[i+1:], " ")) {
				return true
			}
		case "read", "mapfile", "readarray":
			for ; i < len(words) && !strings.ContainsAny(words[i], "<;"); i++ {
				if words[i][0] != '-' && IsSecretName(words[i]) && !isKeyboard(words[i]) && hereText(line) {
					return true
				}
			}
		case "printf":
			if i+2 >= len(words) || words[i] != "-v" || !IsSecretName(strings.Trim(words[i+1], "\"'")) {
				break
			}
			if i += 3; i == len(words) {
				i-- // a format alone
			}
			if asItStands(' ', words[i]) {
				return true
			}
		}
	}
	return false
}

// passwordOptions returns the options by which a command takes a password: those that
// are followed by it at once or in the next word, and, with a : at the end, those whose
// value is a name, a colon and the password. Of other commands it is "".
func passwordOptions(command string) string {
	switch command {
	case "curl":
		return "-u: --user: -U: --proxy-user:"
	case "http", "https":
		return "-a: --auth:"
	case "mysql", "mysqldump", "mysqladmin", "mariadb", "mariadb-dump", "sshpass":
		return "-p"
	case "ldapsearch":
		return "-w"
	case "redis-cli":
		return "-a"
	}
	return ""
}

// longPassword are options of any command.
const longPassword = " --password --passwd --pass --token --access-token --auth-token --api-key --apikey --secret "

// hasArgument reports whether a line has a command with a password among its arguments,
// as it stands.
func hasArgument(line string) bool {
	words := strings.Fields(line)
	options, own := "", ""
	for i, word := range words {
		// It may be the first word of an alias or of a substitution.
		name := strings.TrimRight(word[strings.LastIndexAny(word, "='\"(/`!;&|")+1:], "'\");`")
		if o := passwordOptions(name); o != "" {
			options, own = o, name
			continue
		}
		if !strings.HasPrefix(word, "-") {
			if strings.ContainsAny(word, ";|&") {
				options = ""
			}
			continue
		}
		next := ""
		if i+1 < len(words) {
			next = words[i+1]
		}
		if strings.Contains(longPassword, " "+word+" ") && writtenOut(next) {
			return true
		}
		for _, o := range strings.Fields(options) {
			o, login := strings.CutSuffix(o, ":")
			value, ok := strings.CutPrefix(word, o)
			if !ok || strings.HasPrefix(o, "--") && value != "" && value[0] != '=' {
				continue
			}
			value = strings.TrimPrefix(value, "=")
			if value == "" {
				// Of -p alone those of MySQL ask.
				if value = next; strings.HasPrefix(own, "m") {
					continue
				}
			}
			if login {
				_, value, ok = strings.Cut(value, ":")
			}
			if ok && writtenOut(value) {
				return true
			}
		}
	}
	return false
}

// writtenOut reports whether a word is no option, and its value is written in it.
func writtenOut(word string) bool {
	word = strings.TrimLeft(word, "\"'")
	return word != "" && strings.IndexByte("-$`<>|&;)(", word[0]) < 0 && strings.Trim(word, "\"';)") != ""
}

// hereText reports whether a text has input for a command, of the lines that follow
// or as it stands: <<END, <<< value.
func hereText(s string) bool {
	_, s, ok := strings.Cut(s, "<<")
	if !ok {
		return false
	}
	if text, ok := strings.CutPrefix(s, "<"); ok {
		text = strings.TrimSpace(text)
		return text != "" && asItStands(' ', text)
	}
	s = strings.TrimLeft(s, "-~ \t")
	return s != "" && (s[0] == '"' || s[0] == '\'' || s[0] == '\\' || isWord(s[0]) && (s[0] < '0' || s[0] > '9'))
}

// nameBefore returns the name that the character at i, one of =, : and >, gives a
// value, or "". Of NAME[x]= it returns x as well.
func nameBefore(line string, i int) (name, of string) {
	end := i
	switch line[i] {
	case '=':
		if end > 0 && strings.IndexByte("+?:", line[end-1]) >= 0 { // += and the like
			end--
		}
		if open := strings.LastIndexByte(line[:end], '['); open > 0 && line[end-1] == ']' {
			of = strings.Trim(line[open+1:end-1], "\"' ")
			end = open
		}
	case ':':
		if i+1 < len(line) && strings.IndexByte(" \t\"", line[i+1]) < 0 {
			return "", ""
		}
	case '>':
	default:
		return "", ""
	}
	if line[i] != '>' && of == "" {
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
		return "", ""
	}
	name = line[begin:end]
	if len(name) > 2 && (name[:2] == "-D" || name[:2] == "-P") {
		name = name[2:] // java -Dname=value
	}
	return name, of
}

// asItStands reports whether what follows a separator is a value as it stands.
func asItStands(sep byte, value string) bool {
	value = strings.TrimLeft(value, " \t")
	empty := false
	for strings.HasPrefix(value, `""`) || strings.HasPrefix(value, "''") { // ""x is x
		value, empty = value[2:], true
	}
	switch {
	case empty && (value == "" || strings.IndexByte(" \t;&|)]},#<", value[0]) >= 0):
		return false
	case value == "":
		return sep != '=' && sep != ' ' // on the lines that follow
	case hereText(value):
		return true
	case value[0] == '(' && sep == ' ' && echoes(value[1:]):
		return true
	case value[0] == '(' && (sep == ' ' || strings.HasPrefix(value, "($")):
		return false // of a command, in fish; of variables
	case value[0] == '=' || value[0] == '~':
		return false // a comparison
	case strings.HasPrefix(value, "$'"):
		return true
	case value[0] == '\'':
		return !isSwitch(value[1:])
	}
	value = strings.TrimPrefix(value, `"`)
	if text, ok := strings.CutPrefix(value, "${"); ok {
		n := variable(text)
		return n > 0 && (text[0] < '0' || text[0] > '9') && isDefault(text[n:])
	}
	if text, ok := strings.CutPrefix(value, "$("); ok {
		return echoes(text)
	}
	if text, ok := strings.CutPrefix(value, "`"); ok {
		return echoes(text)
	}
	return value == "" || value[0] != '$' && value[0] != ';' && !isSwitch(value)
}

// echoes reports whether a command prints a value as it stands.
func echoes(command string) bool {
	words := strings.Fields(command)
	if len(words) == 0 || words[0] != "echo" && words[0] != "printf" {
		return false
	}
	i := 1
	for i < len(words) && words[i][0] == '-' {
		i++
	}
	if words[0] == "printf" && i+1 < len(words) {
		i++ // the format
	}
	return i < len(words) && asItStands(' ', words[i])
}

// isSwitch reports whether a value is a yes or no, as of PasswordAuthentication=no.
func isSwitch(value string) bool {
	n := 0
	for n < len(value) && isWord(value[n]) {
		n++
	}
	switch strings.ToLower(value[:n]) {
	case "yes", "no", "true", "false", "on", "off", "null", "none":
		return n == len(value) || strings.IndexByte(" \t\"',;&|)]}<", value[n]) >= 0
	}
	return false
}

func fnHoldsSecret(c *call) (starlark.Value, error) {
	for line := range strings.Lines(string(c.str(0))) {
		if HoldsSecret(strings.TrimRight(line, "\r\n")) {
			return starlark.True, nil
		}
	}
	return starlark.False, nil
}
