// Package lib is the standard library of sandbox scripts, embedded: modules that
// scripts load as "@sbx//NAME.star". Most are settings templates, each a function
// of its file's name that opens a sandbox for one tool; `sbx templates` lists them.
package lib

import "embed"

//go:embed *.star
var files embed.FS

// Read returns the text of a module by its name, as in "ssh.star".
func Read(name string) ([]byte, error) { return files.ReadFile(name) }

// Names returns the names of all modules, sorted.
func Names() []string {
	list, err := files.ReadDir(".")
	if err != nil {
		panic("sbx bug: " + err.Error())
	}
	names := make([]string, len(list))
	for i, e := range list {
		names[i] = e.Name()
	}
	return names
}
