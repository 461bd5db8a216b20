.PHONY: up test check lint bench lock

up test check lint bench lock:
	@./dev $@ $(ARGS)
