package eval

// Which variables of the caller's environment are not for a sandbox: secrets,
// and the ways to the host's agents, displays and daemons.

import (
	"strings"

	"go.starlark.net/starlark"

	"sbx/engine/plan"
)

// IsSecretEnv reports whether a variable is one that unset_secrets() removes: by
// its name, or since its value is what HoldsSecret knows in settings.
func IsSecretEnv(name, value string) bool {
	u := strings.ToUpper(name)
	if IsSecretName(name) && !(u == "GPG_KEY" && isFingerprint(value)) || leadsOut(u) || hasLogin(value, false) || isProxy(name) && holdsLogin(value, false) || hasToken(value) {
		return true
	}
	if strings.HasSuffix(u, "_COLORS") || strings.HasSuffix(u, "_ICONS") {
		return false // *.key=01;31
	}
	for line := range strings.Lines(value) {
		if HoldsSecret(strings.TrimRight(line, "\r\n")) {
			return true
		}
	}
	return false
}

// IsSecretName reports whether the name of a variable, or of a setting in a file,
// is that of a secret.
func IsSecretName(name string) bool {
	u := strings.ToUpper(name)
	switch {
	case strings.HasPrefix(u, "PASSWORD_STORE_"), u == "STARSHIP_SESSION_KEY": // where secrets are; no secret in spite of its name
		return false
	case u == "DIRENV_DIFF", u == "__MISE_DIFF", u == "SONAR_LOGIN", strings.HasSuffix(u, "SONAR.LOGIN"): // other variables in them; a token
		return true
	}
	for _, part := range [...]string{"SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL", "APIKEY", "ACCESSKEY", "PRIVATEKEY", "CONNECTION_STRING"} {
		if strings.Contains(u, part) {
			return true
		}
	}
	if strings.Contains(u, "COOKIE") && !strings.Contains(u, "COOKIECUTTER") {
		return true
	}
	for _, family := range [...]string{"AWS_", "AZURE_", "VAULT_", "OP_SESSION_", "DOCKER_AUTH",
		"GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_", "GIT_CONFIG_PARAMETERS"} { // settings with headers; all or none
		if strings.HasPrefix(u, family) {
			return true
		}
	}
	for _, end := range [...]string{"WEBHOOK", "WEBHOOKS", "WEBHOOK_URL", "WEBHOOK_URLS", "WEBHOOK.URL", "WEBHOOK-URL", "WEBHOOKURL"} {
		if strings.HasSuffix(u, end) {
			return true // who knows it can post there
		}
	}
	// By whole words, a number behind them or not: TOKENIZERS_PARALLELISM and KEYBOARD are no secrets.
	first, last := true, ""
	limit := false // MAX_OUTPUT_TOKENS
	for rest := u; rest != ""; {
		i := strings.IndexAny(rest, "_.-:/")
		word := rest
		if i >= 0 {
			word, rest = rest[:i], rest[i+1:]
		} else {
			rest = ""
		}
		if word = strings.TrimRight(word, "0123456789"); word == "" {
			continue
		}
		switch word {
		case "KEY", "KEYS", "TOKEN", "BEARER", "JWT", "AUTHORIZATION", "CRED", "CREDS", "PASS", "PAT", "DSN":
			return true
		case "MAX":
			limit = true
		case "TOKENS":
			if !limit {
				return true
			}
		case "PW", "PWD":
			if !first {
				return true
			}
		default:
			if strings.HasSuffix(word, "TOKEN") {
				return true
			}
		}
		first, last = false, word
	}
	switch last {
	case "AUTH", "PIN", "OTP", "TOTP":
		return true
	case "PWD":
		return strings.HasSuffix(u, "_PWD")
	case "BYPASS", "COMPASS":
		return false
	}
	return strings.HasSuffix(last, "PASS") || strings.HasSuffix(last, "PW")
}

// isFingerprint reports whether a value is that of an OpenPGP key, which is public.
func isFingerprint(value string) bool {
	return (len(value) == 40 || len(value) == 16) && strings.Trim(value, "0123456789abcdefABCDEF") == ""
}

// leadsOut reports whether the variable of that upper-case name tells a way to
// something of the host's that the sandbox shall not reach.
func leadsOut(u string) bool {
	if strings.HasSuffix(u, "SOCK") || strings.HasSuffix(u, "SOCKET") || strings.HasPrefix(u, "DBUS_") || strings.HasPrefix(u, "VSCODE_") {
		return true
	}
	switch u {
	case "SSH_AGENT_PID", "SSH_ASKPASS", "SUDO_ASKPASS", "GIT_ASKPASS", "GPG_AGENT_INFO", "GNOME_KEYRING_CONTROL", "KRB5CCNAME",
		"DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "SESSION_MANAGER", "ICEAUTHORITY", "PULSE_SERVER", "PIPEWIRE_REMOTE", "AT_SPI_BUS_ADDRESS",
		"DOCKER_HOST", "DOCKER_CONTEXT", "CONTAINER_HOST", "KUBECONFIG", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES",
		"TMUX", "TMUX_PANE", "STY", "KITTY_LISTEN_ON", "NVIM", "NVIM_LISTEN_ADDRESS", "HYPRLAND_INSTANCE_SIGNATURE":
		return true
	}
	return false
}

// hasLogin reports whether a text has a URL with a password in it, or for the web
// with a user, as which tokens are given. In settings what begins with a $ is a
// variable's, and no secret.
func hasLogin(text string, settings bool) bool {
	for rest := text; ; {
		i := strings.Index(rest, "://")
		if i < 0 {
			return false
		}
		web := strings.HasSuffix(rest[:i], "http") || strings.HasSuffix(rest[:i], "https")
		rest = rest[i+3:]
		user, password := login(rest)
		if password != "" && !(settings && password[0] == '$') ||
			web && password == "" && user != "" && user != "git" && !(settings && user[0] == '$') {
			return true
		}
	}
}

// isProxy reports whether a variable or setting of that name tells a proxy.
func isProxy(name string) bool {
	u := strings.TrimRight(strings.TrimSuffix(strings.ToUpper(name), "URL"), "_.-")
	return strings.HasSuffix(u, "PROXY")
}

// holdsLogin reports whether a proxy's address has a login, with a scheme or without:
// user:password@host:port.
func holdsLogin(address string, settings bool) bool {
	address = strings.TrimLeft(address, " \t\"'")
	if i := strings.IndexAny(address, " \t\"'<"); i >= 0 {
		address = address[:i]
	}
	if strings.Contains(address, "://") {
		return hasLogin(address, settings)
	}
	user, password := login(address)
	if settings && (strings.HasPrefix(user, "$") || strings.HasPrefix(password, "$")) {
		return false
	}
	return user != "" || password != ""
}

// login returns the user and the password of a URL, after its "://".
func login(rest string) (user, password string) {
	if i := strings.IndexAny(rest, "/?# \t\"'<>"); i >= 0 {
		rest = rest[:i]
	}
	at := strings.LastIndexByte(rest, '@')
	if at < 0 {
		return "", ""
	}
	user, password, _ = strings.Cut(rest[:at], ":")
	return user, password
}

func fnUnsetSecrets(c *call) (starlark.Value, error) {
	for _, kv := range c.ev.opt.Host.Environ() {
		name, value, ok := strings.Cut(kv, "=")
		if ok && name != "" && IsSecretEnv(name, value) {
			if err := c.env(plan.EnvOp{Kind: plan.UnsetEnv, Name: plan.Str(name)}); err != nil {
				return nil, err
			}
		}
	}
	return starlark.None, nil
}
