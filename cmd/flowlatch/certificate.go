package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"sync/atomic"

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
// used, for example because only one of them was replaced so far, the certificate of before stays
// in use. Only one goroutine may call it.
func (c *certificate) read() (changed bool, err error) {
	cert, err := os.ReadFile(c.certFile)
	if err != nil {
		return false, err
	}
	key, err := os.ReadFile(c.keyFile)
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

// config returns the settings of a listener that always uses the current certificate.
func (c *certificate) config() *tls.Config {
	return &tls.Config{
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current.Load(), nil },
		MinVersion:     tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
	}
}
