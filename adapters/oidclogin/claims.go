package oidclogin

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// claims are the members of a JSON object, by their exact names. go-oidc ignores upper and lower case.
type claims map[string]jsontext.Value

// maxID is the longest sid or jti, in bytes. No provider has one of this length.
const maxID = 255

// readClaims reads a JSON object. A name that is there twice is an error, and so is invalid UTF-8.
func readClaims(text []byte) (claims, error) {
	var c claims
	if err := json.Unmarshal(text, &c); err != nil {
		return nil, errors.New("the claims are no JSON object with each name once")
	}
	if c == nil {
		return nil, errors.New("the claims are null")
	}
	return c, nil
}

// claimsOf returns the claims of a token that was verified.
func claimsOf(token interface{ Claims(any) error }) (claims, error) {
	var text rawText
	if err := token.Claims(&text); err != nil {
		return nil, err
	}
	return readClaims(text)
}

// rawText is JSON as it came.
type rawText []byte

// UnmarshalJSON keeps a copy of text.
func (r *rawText) UnmarshalJSON(text []byte) error {
	*r = append((*r)[:0], text...)
	return nil
}

// readSegment reads the base64url of a JSON object.
func readSegment(text string) (claims, error) {
	decoded, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	return readClaims(decoded)
}

// text returns the claim if it is a string, otherwise "".
func (c claims) text(name string) string {
	var text string
	if value := c[name]; value.Kind() != '"' || json.Unmarshal(value, &text) != nil {
		return ""
	}
	return text
}

// id returns the claim if it can name something that is stored, otherwise "".
func (c claims) id(name string) string {
	id := c.text(name)
	if len(id) > maxID || strings.ContainsFunc(id, unicode.IsControl) {
		return ""
	}
	return id
}

// name returns the name for a new user: preferred_username, else what is before the @ of the e-mail
// address, else the name of the person. Nobody is recognized by it.
func (c claims) name() string {
	local, _, _ := strings.Cut(c.text("email"), "@")
	for _, name := range []string{c.text("preferred_username"), local, c.text("name")} {
		if name != "" {
			return name
		}
	}
	return ""
}

// quoted returns text as JSON.
func quoted(text string) jsontext.Value {
	value, _ := jsontext.AppendQuote(nil, text) // invalid UTF-8 becomes another text, which nothing equals
	return value
}
