package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/internal/config"
)

// newPair returns a certificate for that name, and its key.
func newPair(t *testing.T, name string) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

func TestTheCertificateIsReadAgain(t *testing.T) {
	folder := t.TempDir()
	cfg := config.Config{TLSCertFile: filepath.Join(folder, "cert.pem"), TLSKeyFile: filepath.Join(folder, "key.pem")}
	put := func(certificate, key []byte) {
		t.Helper()
		if err := errors.Join(os.WriteFile(cfg.TLSCertFile, certificate, 0o600), os.WriteFile(cfg.TLSKeyFile, key, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	oneCert, oneKey := newPair(t, "one")
	twoCert, twoKey := newPair(t, "two")
	put(oneCert, oneKey)
	c, err := newCertificate(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name    string
		change  func()
		want    string // the name in the certificate that is used
		changed bool
		refused bool
	}{
		{"nothing changed", func() {}, "one", false, false},
		{"the new certificate without its key", func() { put(twoCert, oneKey) }, "one", false, true},
		{"half of the new certificate", func() { put(twoCert[:len(twoCert)/2], twoKey) }, "one", false, true},
		{"an empty file", func() { put(nil, twoKey) }, "one", false, true},
		{"the old pair is back", func() { put(oneCert, oneKey) }, "one", false, false},
		{"a file is missing", func() { _ = os.Remove(cfg.TLSKeyFile) }, "one", false, true},
		{"the new pair", func() { put(twoCert, twoKey) }, "two", true, false},
		{"the new pair, again", func() { put(twoCert, twoKey) }, "two", false, false},
		{"links that are swapped, as Kubernetes does", func() {
			for name, pair := range map[string][2][]byte{"..1": {oneCert, oneKey}, "..2": {twoCert, twoKey}} {
				at := filepath.Join(folder, name)
				if err := errors.Join(os.Mkdir(at, 0o700), os.WriteFile(at+"/cert.pem", pair[0], 0o600), os.WriteFile(at+"/key.pem", pair[1], 0o600)); err != nil {
					t.Fatal(err)
				}
			}
			if err := errors.Join(os.Remove(cfg.TLSCertFile), os.Remove(cfg.TLSKeyFile), os.Symlink("..1", filepath.Join(folder, "..data")),
				os.Symlink("..data/cert.pem", cfg.TLSCertFile), os.Symlink("..data/key.pem", cfg.TLSKeyFile)); err != nil {
				t.Fatal(err)
			}
		}, "one", true, false},
		{"and swapped once more", func() {
			if err := errors.Join(os.Symlink("..2", filepath.Join(folder, "..next")), os.Rename(filepath.Join(folder, "..next"), filepath.Join(folder, "..data"))); err != nil {
				t.Fatal(err)
			}
		}, "two", true, false},
	} {
		step.change()
		changed, err := c.read()
		if changed != step.changed || (err != nil) != step.refused {
			t.Errorf("%s: changed %t and error %v, want %t and an error: %t", step.name, changed, err, step.changed, step.refused)
		}
		used, err := c.config().GetCertificate(nil)
		if err != nil || used.Leaf.Subject.CommonName != step.want {
			t.Fatalf("%s: the certificate of %s is used (%v), want %s", step.name, used.Leaf.Subject.CommonName, err, step.want)
		}
	}
}

// Nobody writes to the pipe, so a reader would wait for ever, and so would SIGHUP.
func TestAPipeIsNoCertificate(t *testing.T) {
	folder := t.TempDir()
	cfg := config.Config{TLSCertFile: filepath.Join(folder, "cert.pem"), TLSKeyFile: filepath.Join(folder, "key.pem")}
	if err := syscall.Mkfifo(cfg.TLSCertFile, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := newCertificate(cfg); err == nil || !strings.Contains(err.Error(), "is not a regular file") {
		t.Errorf("a pipe in place of the certificate: got the error %v, want it to say that it is not a regular file", err)
	}
}
