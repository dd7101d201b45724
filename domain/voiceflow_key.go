package domain

import (
	"errors"
	"strings"
)

// LooksLikeVoiceflowKey reports whether the text looks like a credential of Voiceflow's own: the key
// of a project (VF.DM.), the key of a workspace (VF.WS., before that VF. and 24 hex digits), or a
// personal access token (vfp_). Only the beginning counts, because Voiceflow documents no more, and
// because a key with a mistake in it gives as much away. So it also counts in other letters.
func LooksLikeVoiceflowKey(text Secret) bool {
	s := text.Reveal()
	if hasPrefixFold(s, PersonalKeyPrefix) || hasPrefixFold(s, "VF.DM.") || hasPrefixFold(s, "VF.WS.") {
		return true
	}
	const id = 24
	return hasPrefixFold(s, "VF.") && len(s) >= len("VF.")+id && isObjectID(strings.ToLower(s[len("VF."):len("VF.")+id]))
}

// looksLikeCredential reports whether the text looks like a credential of Voiceflow's or like an access
// token.
func looksLikeCredential(text string) bool {
	return LooksLikeVoiceflowKey(NewSecret(text)) || hasPrefixFold(text, TokenPrefix)
}

// HoldsCredential reports whether what looks like a Voiceflow key or an access token begins anywhere
// in the text. Such a text may have been pasted into the wrong field, and must not be shown.
func HoldsCredential(text string) bool {
	for i := range len(text) {
		if looksLikeCredential(text[i:]) {
			return true
		}
	}
	return false
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// VoiceflowKeySent is the error for a request that shows a credential of Voiceflow's own:
// NotAuthenticated. The credential was sent to a service that must not know it, perhaps through
// others, so it has to be replaced. errors.Is(err, ErrVoiceflowKeySent) tells it from other errors.
func VoiceflowKeySent() error {
	return &Error{
		Kind: NotAuthenticated, Cause: ErrVoiceflowKeySent,
		Public: "this service wants an access token (flk_…) in Authorization and not a Voiceflow key; the key has been sent where it does not belong, so replace it at Voiceflow" + SeeRefused,
	}
}

// ErrVoiceflowKeySent is the cause of VoiceflowKeySent.
var ErrVoiceflowKeySent = errors.New("a Voiceflow key was sent as a credential")
