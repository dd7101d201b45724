package domain_test

import (
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

func TestWhatLooksLikeAVoiceflowKey(t *testing.T) {
	const id, tail = "65f1c0ffee0123456789abcd", "AbCdEfGhIjKlMnOp"
	for text, want := range map[string]bool{
		"VF.DM." + id + "." + tail:                    true,
		"VF.WS." + id + "." + tail:                    true,
		"VF." + id + "." + tail:                       true,
		"VF." + strings.ToUpper(id) + "." + tail:      true,
		"VF." + id:                                    true,
		"VF.DM." + id + "." + strings.Repeat("x", 42): true,
		"VF.DM.XXXX":                                  true,
		"VF.DM.":                                      true,
		"vf.ws.x":                                     true,
		"vfp_abc_def":                                 true,
		"VFP_abc":                                     true,
		"":                                            false,
		"VF":                                          false,
		"VF.":                                         false,
		"VF." + id[:23]:                               false,
		"VF." + id[:23] + "g":                         false,
		"VF.com":                                      false,
		"VFDM." + id:                                  false,
		"vfp":                                         false,
		"flk_" + strings.Repeat("a", 58):              false,
		"Bearer VF.DM." + id:                          false,
		" VF.DM." + id:                                false,
		"xVF.DM." + id:                                false,
		"eyJhbGciOiJIUzI1NiJ9.VF.DM." + id:            false,
	} {
		if got := domain.LooksLikeVoiceflowKey(domain.NewSecret(text)); got != want {
			t.Errorf("%q: got %t", text, got)
		}
	}
}
