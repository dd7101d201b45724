package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"syscall"

	"github.com/flowlatch/flowlatch/internal/config"
)

// certificate is the certificate of HTTPS, which may be replaced on disk while it is in use.
type certificate struct {
	certFile, keyFile string
	current           atomic.Pointer[tls.Certificate]
	digest            [sha256.Size]byte // of the files of current
}

// newCertificate reads the certificate and its key.
func newCertificate(cfg config.Config) (*certificate, error) {
	c := &certificate{certFile: cfg.TLSCertFile, keyFile: cfg.TLSKeyFile}
	if _, err := c.read(); err != nil {
		return nil, fmt.Errorf("%sTLS_CERT_FILE and %sTLS_KEY_FILE can't be used: %w", config.Prefix, config.Prefix, err)
	}
	return c, nil
}

// read reads the files and uses them from now on, if their content has changed. If they can't be
// used, the previous certificate stays in use. That is so while only one of them is replaced. Only
// one goroutine may call read.
func (c *certificate) read() (changed bool, err error) {
	cert, err := readRegular(c.certFile)
	if err != nil {
		return false, err
	}
	key, err := readRegular(c.keyFile)
	if err != nil {
		return false, err
	}
	digest := sha256.Sum256(bytes.Join([][]byte{cert, key}, []byte{0}))
	if digest == c.digest {
		return false, nil
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return false, errors.New("the certificate and the key are not a pair, or one of them is damaged: " + err.Error())
	}
	c.current.Store(&pair)
	c.digest = digest
	return true, nil
}

// readRegular reads a regular file. Anything else is an error: nobody may ever write to a pipe, and
// its reader would wait for that.
func readRegular(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	return io.ReadAll(f)
}

// config returns the settings of a listener that always uses the current certificate.
func (c *certificate) config() *tls.Config {
	return &tls.Config{
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current.Load(), nil },
		MinVersion:     tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
	}
}
