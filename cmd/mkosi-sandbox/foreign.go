//go:build linux

package main

// The options that need ids which only systemd-nsresourced can give.

import (
	"os"

	"sbx/engine/host"
	"sbx/engine/plan"
)

const holderName = "mkosi-sandbox: user namespace"

// hold keeps a user namespace alive until its standard input ends.
func hold() {
	var b [1]byte
	os.Stdin.Read(b[:])
}

func foreign(p *plan.Plan, f *host.Facts) (done func(), ds plan.Diagnostics) {
	return func() {}, nil
}
