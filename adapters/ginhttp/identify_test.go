package ginhttp

import "testing"

func TestClaimsToken(t *testing.T) {
	for value, want := range map[string]bool{
		"Bearer flk_x": true, "Bearer eyJ": true, "bearer eyJ": true, "BEARER\teyJ": true, " Bearer x": true, "Bearer": true, "Bearer ": true,
		"flk_": true, "flk_secret": true, "FLK_secret": true,
		"": false, "Basic dXNlcjpwYXNz": false, "Digest username=x": false, "Bearerx y": false, "Negotiate Bearer": false, "flk": false, "VF.DM.x": false,
	} {
		if got := claimsToken(value); got != want {
			t.Errorf("%q: got %v, want %v", value, got, want)
		}
	}
}
