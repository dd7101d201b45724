package domain

import (
	"encoding/binary"
	"encoding/hex"
	"net"
	"net/url"
	"strings"
	"time"
)

// VoiceflowID is Voiceflow's id of a project: a MongoDB ObjectId, 24 lower-case hex digits
// (Voiceflow's API reference, 'Fetch project').
type VoiceflowID string

// ParseVoiceflowID reads 24 hex digits in either case. Returns Invalid for any other text.
func ParseVoiceflowID(text string) (VoiceflowID, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	if !isObjectID(text) {
		return "", invalid("voiceflow_project_id must be 24 hexadecimal digits")
	}
	return VoiceflowID(text), nil
}

// Created returns the second at which Voiceflow made the id. The first four bytes of an id are
// Unix seconds (MongoDB, 'ObjectId'). Created is the zero time for an invalid id.
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
	// Project is the Voiceflow project id, "" if it was not given. Voiceflow needs it beside
	// an alias.
	Project VoiceflowID
}

// ParseVersionRef reads the parameters version_id and voiceflow_project_id. A version id is 24
// hex digits, which are kept in lower case. An environment alias is 1 to 64 of A-Z a-z 0-9 _ -
// and needs the project id. Returns Invalid for anything else.
func ParseVersionRef(version, project string) (VersionRef, error) {
	version, err := parseText("version_id", version, 64)
	if err != nil {
		return VersionRef{}, err
	}
	if strings.Trim(version, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
		return VersionRef{}, invalid("version_id can only contain letters, digits, _ and -")
	}
	if looksLikeCredential(version) {
		return VersionRef{}, invalid("version_id looks like a key or an access token, which is no version; replace it where it came from, because it was sent here")
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
		return VersionRef{}, invalid("version_id is an environment alias, so voiceflow_project_id is needed too")
	}
	return ref, nil
}

// Alias reports whether the version is an environment alias and not a version id.
func (v VersionRef) Alias() bool { return !isObjectID(v.Version) }

// PersonalKeyPrefix begins a personal access token of Voiceflow, and projectKeyPrefix the key of a
// project (Voiceflow's API reference, 'Authentication').
const PersonalKeyPrefix, projectKeyPrefix = "vfp_", "VF."

// ParseKey trims a pasted Voiceflow key for the slot. Returns Invalid unless 1 to 512 visible ASCII
// characters are left. Returns Invalid for a personal access token in the slot of a project key,
// and for a project key in the slot of a personal access token. It does not require their usual
// forms, since Voiceflow documents none.
func ParseKey(slot Slot, key Secret) (Secret, error) {
	text := strings.TrimSpace(key.Reveal())
	if text == "" {
		return Secret{}, invalid("token is missing")
	}
	if len(text) > 512 {
		return Secret{}, invalid("token is longer than 512 characters")
	}
	for _, c := range []byte(text) {
		if c < 0x21 || c > 0x7e {
			return Secret{}, invalid("token contains a character that no key has")
		}
	}
	switch {
	case slot == SlotPersonal && hasPrefixFold(text, projectKeyPrefix):
		return Secret{}, invalid("token is the key of a project; its slot is primary or secondary")
	case slot != SlotPersonal && hasPrefixFold(text, PersonalKeyPrefix):
		return Secret{}, invalid("token is a personal access token; its slot is personal")
	}
	return NewSecret(text), nil
}

// Export is the part of a version's export that is kept. The rest can hold credentials of others
// and is never stored.
type Export struct {
	Project  VoiceflowID // project._id
	Name     string      // project.name, as Voiceflow wrote it
	Platform string      // project.platform; "" if the export lacks it
	Created  time.Time   // project.createdAt; zero if the export lacks it, as most do since 2024
}

// Origin is scheme, host and port, such as https://api.voiceflow.com. A default port is left out. A
// sealed key is bound to the Origin of the Voiceflow service that it may be sent to.
type Origin string

// ParseOrigin returns the origin of an absolute http or https URL, without its path and query.
// Returns Invalid for any other text.
func ParseOrigin(base string) (Origin, error) {
	u, err := url.Parse(base)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", invalid("the base URL of Voiceflow must be an absolute http or https URL")
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
