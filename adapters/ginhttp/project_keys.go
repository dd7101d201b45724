package ginhttp

import (
	"net/http"
	"strings"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

func (a *api) setToken(x *exchange) error {
	var in struct {
		ID    text          `json:"project_id"`
		Token domain.Secret `json:"token"`
		Slot  text          `json:"slot"`
	}
	if err := x.decode(&in); err != nil {
		return err
	}
	p, err := a.service.SetToken(x.ctx(), x.call, app.SetToken{Project: string(in.ID), Key: in.Token, Slot: string(in.Slot)})
	if err != nil {
		return err
	}
	x.send(http.StatusOK, say("Voiceflow accepted the key, and it was stored").member("assistant").assistantOfAdmin(p))
	return nil
}

func (a *api) deleteToken(x *exchange) error {
	var in struct {
		ID   text `json:"project_id"`
		Slot text `json:"slot"`
	}
	if err := x.decode(&in); err != nil {
		return err
	}
	p, err := a.service.DeleteToken(x.ctx(), x.call, app.DeleteToken{Project: string(in.ID), Slot: string(in.Slot)})
	if err != nil {
		return err
	}
	x.send(http.StatusOK, say("the key was deleted here; it stays valid at Voiceflow").member("assistant").assistantOfAdmin(p))
	return nil
}

func (a *api) checkProject(x *exchange) error {
	var in struct {
		ID text `json:"project_id"`
	}
	if err := x.decode(&in); err != nil {
		return err
	}
	checked, err := a.service.CheckProject(x.ctx(), x.call, string(in.ID))
	if err != nil {
		return err
	}
	message := "the keys were tried"
	if len(checked.Unanswered) > 0 {
		slots := make([]string, len(checked.Unanswered))
		for i, slot := range checked.Unanswered {
			slots[i] = string(slot)
		}
		message = "Voiceflow gave no usable answer about the " + strings.Join(slots, " and the ") +
			" key; the status has not changed"
	}
	x.send(http.StatusOK, say(message).member("assistant").assistantOfAdmin(checked.Project).keys(checked.Project))
	return nil
}
