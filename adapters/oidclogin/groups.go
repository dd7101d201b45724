package oidclogin

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/flowlatch/flowlatch/domain"
)

// maxClaim is the longest name of a claim and the longest pointer, in bytes.
const maxClaim = 256

// groupsPointer reads the setting of the groups: the name of a claim, or a JSON pointer, which begins with
// a slash.
func groupsPointer(text string) (jsontext.Pointer, error) {
	if text == "" {
		text = DefaultGroupsClaim
	}
	pointer := jsontext.Pointer("").AppendToken(text)
	if strings.HasPrefix(text, "/") {
		pointer = jsontext.Pointer(text)
	}
	if len(text) > maxClaim || !pointer.IsValid() {
		return "", invalid("the claim of the groups must be a name, or a JSON pointer such as /realm_access/roles, of at most 256 bytes; in a pointer ~ is written as ~0")
	}
	return pointer, nil
}

// groups returns the groups that the claim at the pointer lists. One text is one group.
func (c claims) groups(claim jsontext.Pointer) domain.Groups {
	if c.elsewhere(claim) {
		return domain.Groups{State: domain.GroupsElsewhere}
	}
	value, ok := c.at(claim)
	if !ok {
		return domain.Groups{State: domain.GroupsAbsent}
	}
	if value.Kind() == '"' {
		value = jsontext.Value("[" + string(value) + "]")
	}
	var values []jsontext.Value
	if value.Kind() != '[' || json.Unmarshal(value, &values) != nil {
		return domain.Groups{State: domain.GroupsUnreadable}
	}
	names := make([]string, len(values))
	for i, v := range values {
		if v.Kind() != '"' || json.Unmarshal(v, &names[i]) != nil {
			return domain.Groups{State: domain.GroupsUnreadable}
		}
	}
	return domain.ListedGroups(names)
}

// at returns the value at the pointer (RFC 6901, section 4).
func (c claims) at(pointer jsontext.Pointer) (jsontext.Value, bool) {
	value, first := jsontext.Value(nil), true
	for token := range pointer.Tokens() {
		var ok bool
		if first {
			value, ok = c[token]
			first = false
		} else {
			value, ok = member(value, token)
		}
		if !ok {
			return nil, false
		}
	}
	return value, !first
}

// member returns the member of an object or the element of an array.
func member(value jsontext.Value, token string) (jsontext.Value, bool) {
	switch value.Kind() {
	case '{':
		var members claims
		if json.Unmarshal(value, &members) != nil {
			return nil, false
		}
		found, ok := members[token]
		return found, ok
	case '[':
		i, err := strconv.ParseUint(token, 10, 32)
		var elements []jsontext.Value
		if err != nil || strconv.FormatUint(i, 10) != token || json.Unmarshal(value, &elements) != nil || i >= uint64(len(elements)) {
			return nil, false
		}
		return elements[i], true
	}
	return nil, false
}

// elsewhere reports whether the claims say that the groups have to be asked for at another place. Entra says so
// in place of more than 200 groups (Microsoft identity platform, 'Groups overage claim'): by _claim_names
// (OpenID Connect Core 1.0, section 5.6.2), and in short tokens by hasgroups.
func (c claims) elsewhere(claim jsontext.Pointer) bool {
	var top string
	for top = range claim.Tokens() {
		break
	}
	if _, ok := member(c["_claim_names"], top); ok {
		return true
	}
	_, there := c[top]
	has := c["hasgroups"]
	return top == DefaultGroupsClaim && !there && (has.Kind() == 't' || c.text("hasgroups") == "true")
}
