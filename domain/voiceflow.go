package domain

import (
	"encoding/binary"
	"encoding/hex"
	"net"
	"net/url"
	"strings"
	"time"
)

// VoiceflowID is Voiceflow's own id of a project: 24 lower-case hex digits, a
// MongoDB ObjectId (Voiceflow's API reference, 'Fetch project').
type VoiceflowID string

// ParseVoiceflowID takes 24 hex digits in either case and is Invalid otherwise.
func ParseVoiceflowID(text string) (VoiceflowID, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	if !isObjectID(text) {
		return "", invalid("voiceflow_project_id must be 24 hexadecimal digits")
	}
	return VoiceflowID(text), nil
}

// Created is the second at which the id was made: its first four bytes are Unix
// seconds (MongoDB, 'ObjectId'). It is the zero time for what is no id.
func (id VoiceflowID) Created() time.Time {
	b, err := hex.DecodeString(string(id))
	if err != nil || len(b) != 12 {
		return time.Time{}
	}
	return time.Unix(int64(binary.BigEndian.Uint32(b)), 0).UTC()
}

// VersionRef says which version of an assistant a key is for.
type VersionRef struct {
	// Version is a version id (24 lower-case hex digits) or an environment alias.
	Version string
	// Project is the Voiceflow project id, which Voiceflow needs beside an alias;
	// "" when it was not given.
	Project VoiceflowID
}

// ParseVersionRef reads the parameters version_id and voiceflow_project_id. A version
// is 24 hex digits, kept in lower case, or an alias of 1 to 64 of A-Z a-z 0-9 _ -,
// which needs the project id. It is Invalid otherwise.
func ParseVersionRef(version, project string) (VersionRef, error) {
	version, err := parseText("version_id", version, 64)
	if err != nil {
		return VersionRef{}, err
	}
	if strings.Trim(version, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
		return VersionRef{}, invalid("version_id may hold letters, digits, _ and - only")
	}
	ref := VersionRef{Version: version}
	if strings.TrimSpace(project) != "" {
		if ref.Project, err = ParseVoiceflowID(project); err != nil {
			return VersionRef{}, err
		}
	}
	switch lower := strings.ToLower(version); {
	case isObjectID(lower):
		ref.Version = lower
	case ref.Project == "":
		return VersionRef{}, invalid("version_id is an environment alias, so voiceflow_project_id is needed beside it")
	}
	return ref, nil
}

// Alias says whether the version is an environment alias and no version id.
func (v VersionRef) Alias() bool { return !isObjectID(v.Version) }

// ParseKey trims a pasted Voiceflow API key and is Invalid unless 1 to 512 visible
// ASCII characters are left. The usual form, VF.DM.<24 hex>.<16 characters>, is no
// condition: Voiceflow documents none.
func ParseKey(key Secret) (Secret, error) {
	text := strings.TrimSpace(key.Reveal())
	if text == "" {
		return Secret{}, invalid("token is missing")
	}
	if len(text) > 512 {
		return Secret{}, invalid("token is longer than 512 characters")
	}
	for _, c := range []byte(text) {
		if c < 0x21 || c > 0x7e {
			return Secret{}, invalid("token holds a character that no key has")
		}
	}
	return NewSecret(text), nil
}

// Export is what is kept of a version's export: the rest of it may hold credentials
// of others and is never stored.
type Export struct {
	Project  VoiceflowID // project._id
	Name     string      // project.name, as Voiceflow wrote it
	Platform string      // project.platform, "" where it is not said
	Created  time.Time   // project.createdAt; zero where it is not said, as in most exports since 2024
}

// Origin is scheme, host and port of a Voiceflow service, such as
// https://api.voiceflow.com: what a sealed key is bound to. A default port is left out.
type Origin string

// ParseOrigin takes the origin of an absolute http or https URL and is Invalid
// without one. Path and query are dropped.
func ParseOrigin(base string) (Origin, error) {
	u, err := url.Parse(base)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", invalid("the base URL of Voiceflow is no absolute http or https URL")
	}
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if port == "" || u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		return Origin(u.Scheme + "://" + host), nil
	}
	return Origin(u.Scheme + "://" + net.JoinHostPort(host, port)), nil
}

func isObjectID(text string) bool {
	if len(text) != 24 {
		return false
	}
	for _, c := range []byte(text) {
		if !isLowerHex(c) {
			return false
		}
	}
	return true
}
