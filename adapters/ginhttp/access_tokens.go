package ginhttp

import (
	"net/http"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

func (a *api) createAccessToken(x *exchange) error {
	var in struct {
		Name    text    `json:"name"`
		Project text    `json:"project_id"`
		Scopes  *[]text `json:"scopes"`
		Days    *int    `json:"expires_in_days"`
		UserIDs text    `json:"user_ids"`
		Rate    *int    `json:"rate"`
		Open    *int    `json:"open"`

		Environments *[]text `json:"environments"`

		Password domain.Secret `json:"password"`
	}
	if err := x.decode(&in); err != nil {
		return err
	}
	x.asked = domain.OnUser(x.call.Caller.ID)
	made, err := a.service.CreateAccessToken(x.ctx(), x.call, app.CreateAccessToken{
		Name: string(in.Name), Project: string(in.Project), Scopes: textsIfAny(in.Scopes), Days: in.Days, UserIDs: string(in.UserIDs),
		Rate: in.Rate, Open: in.Open, Environments: textsIfAny(in.Environments), Password: in.Password,
	})
	if err != nil {
		return err
	}
	b := say("this is the access token; keep it, because it is not shown again").member("token").text(made.Text.Reveal())
	b = b.member("Id").text(string(made.AccessToken.ID)).member("Expires").instant(made.AccessToken.Expires)
	x.send(http.StatusOK, b)
	return nil
}

func (a *api) rotateAccessToken(x *exchange) error {
	var in struct {
		ID       text          `json:"token_id"`
		Overlap  *int          `json:"overlap_hours"`
		Password domain.Secret `json:"password"`
	}
	if err := x.decode(&in); err != nil {
		return err
	}
	x.asked = domain.OnUser(x.call.Caller.ID)
	made, err := a.service.RotateAccessToken(x.ctx(), x.call, app.RotateAccessToken{Token: string(in.ID), OverlapHours: in.Overlap, Password: in.Password})
	if err != nil {
		return err
	}
	b := say("this is the new text of the access token; keep it, because it is not shown again").member("token").text(made.Text.Reveal())
	b = b.member("Id").text(string(made.AccessToken.ID)).member("Expires").instant(made.AccessToken.Expires)
	b = b.member("PreviousEnds").instant(made.AccessToken.PreviousEnds)
	x.send(http.StatusOK, b)
	return nil
}

func (a *api) deleteAccessToken(x *exchange) error {
	var in struct {
		ID text `json:"token_id"`
	}
	if err := x.decode(&in); err != nil {
		return err
	}
	if err := a.service.DeleteAccessToken(x.ctx(), x.call, string(in.ID)); err != nil {
		return err
	}
	return x.ok("the access token was deleted")
}
