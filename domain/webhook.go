package domain

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// WebhookID is the id of a Webhook: a UUIDv7 as text.
type WebhookID string

// NewWebhookID makes an id from the time now and 10 bytes of random.
func NewWebhookID(now time.Time, random io.Reader) (WebhookID, error) {
	id, err := newUUID(now, random)
	return WebhookID(id), err
}

const (
	// MaxWebhooks is how many webhooks there are at most.
	MaxWebhooks = 20
	// MaxWebhookURL is the longest URL of a webhook, in bytes.
	MaxWebhookURL = 2048
	// MaxWaiting is how many events wait for one webhook at most. Further events are not kept for it.
	MaxWaiting = 1000
	// KeptDeliveries is how many deliveries that have ended are kept of each webhook.
	KeptDeliveries = 20
)

// Webhook is a URL that is told of events.
type Webhook struct {
	ID     WebhookID
	URL    string      // as ParseWebhookURL returns it
	Events []EventType // in the order of EventTypes; at least one
	Secret Sealed      // the signing secret; zero where a list leaves it out
	// Created is when the URL was added, and Set when its secret was made.
	Created, Set time.Time
	// Gone is when the receiver answered that it is gone for good. Such a webhook is told of nothing until
	// it is set again. It is zero while the webhook works.
	Gone time.Time
}

// OnWebhook returns a webhook as the object of a Record. A URL can hold a secret of the receiver, so the
// audit does not name it.
func OnWebhook(id WebhookID) string { return "webhook:" + string(id) }

// ParseWebhookURL reads the URL of a webhook and returns it in one form, so that a URL is there once.
// Returns Invalid unless it is an absolute https URL of at most MaxWebhookURL bytes of ASCII, without user
// and fragment. What its host resolves to is checked when it is connected to.
func ParseWebhookURL(text string) (string, error) {
	text, err := parseText("url", text, MaxWebhookURL)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", invalid("url must be an absolute https URL in ASCII, such as https://alerts.example.com/flowlatch")
	case !strings.EqualFold(u.Scheme, "https"):
		return "", invalid("url must begin with https://")
	case u.User != nil:
		return "", invalid("url must not have a user or a password")
	case strings.Contains(text, "#"):
		return "", invalid("url must not have a fragment")
	case HoldsCredential(text):
		return "", invalid("url must not hold a Voiceflow key or an access token")
	}
	host, ok := httpsHost(u)
	if !ok {
		return "", invalid("url has an invalid host or port; a host in another script is written as xn--…")
	}
	u.Host = host
	if u.Path == "" {
		u.Path = "/"
	}
	u.ForceQuery = false
	if text = u.String(); len(text) > MaxWebhookURL { // percent-encoding can make it longer
		return "", invalid("url is longer than " + strconv.Itoa(MaxWebhookURL) + " bytes")
	}
	return text, nil
}

// httpsHost returns the host of an https URL in one form, with its port unless that is 443. It returns false
// if one of them is invalid.
func httpsHost(u *url.URL) (string, bool) {
	host, ok := browsersHost(u.Hostname())
	if !ok || u.Opaque != "" || strings.HasSuffix(u.Host, ":") {
		return "", false
	}
	port := u.Port()
	if port == "" {
		return host, true
	}
	n, err := strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil || n == 0 || strconv.FormatUint(n, 10) != port:
		return "", false
	case n == 443:
		return host, true
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), port), true
}

// SetIn returns the webhook as it is stored if has are all the webhooks. One with the same URL keeps its
// id and the time of its creation, and is no longer gone. Returns Conflict if the webhook of that URL has
// another id, since the secret is sealed for the id, and if there are MaxWebhooks others.
func (w Webhook) SetIn(has []Webhook) (Webhook, error) {
	w.Created, w.Set, w.Gone = Instant(w.Created), Instant(w.Set), time.Time{}
	at := slices.IndexFunc(has, func(there Webhook) bool { return there.URL == w.URL })
	switch {
	case at >= 0 && has[at].ID != w.ID:
		return Webhook{}, &Error{Kind: Conflict, Public: "somebody has just set this webhook; try again"}
	case at >= 0:
		w.Created = has[at].Created
	case slices.ContainsFunc(has, func(there Webhook) bool { return there.ID == w.ID }):
		return Webhook{}, IDTaken()
	case len(has) >= MaxWebhooks:
		return Webhook{}, &Error{Kind: Conflict, Public: "there are " + strconv.Itoa(MaxWebhooks) + " webhooks already; delete one"}
	}
	return w, nil
}

// Wants reports whether the webhook is told of events of the type.
func (w Webhook) Wants(t EventType) bool { return w.Gone.IsZero() && slices.Contains(w.Events, t) }

// SecretPrefix begins every signing secret (Standard Webhooks).
const SecretPrefix = "whsec_"

// NewWebhookSecret makes a signing secret from 32 bytes of random. Standard Webhooks wants 24 to 64.
func NewWebhookSecret(random io.Reader) (Secret, error) {
	b := make([]byte, 32)
	if _, err := io.ReadFull(random, b); err != nil {
		return Secret{}, fmt.Errorf("domain: no randomness for a signing secret: %w", err)
	}
	return NewSecret(SecretPrefix + base64.StdEncoding.EncodeToString(b)), nil
}

// WebhookMessage is one try to tell a webhook of an event.
type WebhookMessage struct {
	URL  string
	ID   string    // of the event
	At   time.Time // of the try
	Body []byte
	// Signature is what the header webhook-signature holds.
	Signature string
}

// NewWebhookMessage returns the message for a try at now, signed with the secret. Returns the error of
// SignWebhook.
func NewWebhookMessage(url string, e Event, names EventNames, secret Secret, now time.Time) (WebhookMessage, error) {
	m := WebhookMessage{URL: url, ID: e.ID, At: now.UTC(), Body: e.Body(names)}
	var err error
	m.Signature, err = SignWebhook(secret, m.ID, m.At, m.Body)
	return m, err
}

// SignWebhook returns the signature of a message (Standard Webhooks): the HMAC-SHA256 of id, Unix time and
// body, with dots between them. Returns Corrupt if the secret has not the form of one.
func SignWebhook(secret Secret, id string, at time.Time, body []byte) (string, error) {
	text, ours := strings.CutPrefix(secret.Reveal(), SecretPrefix)
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || !ours || len(key) == 0 {
		return "", &Error{Kind: Corrupt, Public: "the signing secret of a webhook is damaged; set the webhook again"}
	}
	mac := hmac.New(sha256.New, key)
	_, _ = io.WriteString(mac, id+"."+strconv.FormatInt(at.Unix(), 10)+".") // never fails
	_, _ = mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)), nil
}
