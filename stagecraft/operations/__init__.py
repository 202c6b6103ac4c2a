"""Operations that stock pyinfra has not, or not with our guarantees: checked and atomic."""
