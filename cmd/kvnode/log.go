package main

import (
	"io"
	"log/slog"

	"github.com/ringwood-kv/ringwood/cmd/kvnode/internal/config"
)

// newLog returns the log, and what changes its level.
func newLog(l *config.Loaded, w io.Writer) (*slog.Logger, *slog.LevelVar) {
	level := new(slog.LevelVar)
	level.Set(logLevel(l.LogLevel))
	o := &slog.HandlerOptions{Level: level}
	if textLog(l, w) {
		return slog.New(slog.NewTextHandler(w, o)), level
	}
	return slog.New(slog.NewJSONHandler(w, o)), level
}

// textLog reports whether the log is for a person.
func textLog(l *config.Loaded, w io.Writer) bool {
	return l.LogFormat == "text" || l.LogFormat == "auto" && isTerminal(w)
}

func logLevel(name string) slog.Level {
	var l slog.Level
	_ = l.UnmarshalText([]byte(name)) // config lets through what it knows
	return l
}
