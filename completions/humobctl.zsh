#compdef humobctl

_humobctl_completion() {
  eval $(env _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" _HUMOBCTL_COMPLETE=complete_zsh humobctl)
}

compdef _humobctl_completion humobctl
